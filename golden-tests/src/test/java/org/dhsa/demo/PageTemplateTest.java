package org.dhsa.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import org.junit.jupiter.api.Test;

class PageTemplateTest {

    @Test
    void textIsEscaped() {
        assertThat(PageTemplate.of("<p title='{{a}}'>{{a}}</p>").text("a", "<b> & \"it's\" {{b}} $1").fill())
                .isEqualTo("<p title='&lt;b&gt; &amp; &quot;it&#39;s&quot; {{b}} $1'>&lt;b&gt; &amp; &quot;it&#39;s&quot; {{b}} $1</p>");
    }

    @Test
    void dataCannotEndTheirScriptAndStayTheSame() throws Exception {
        String json = "[\"</script><script>alert(1)</script><!-- & \u2028\"]";
        String page = PageTemplate.of("{{data}}").json("data", json).fill();
        assertThat(page).doesNotContain("<").doesNotContain(">").doesNotContain("\u2028");
        assertThat(new ObjectMapper().readTree(page)).isEqualTo(new ObjectMapper().readTree(json));
    }

    @Test
    void aPlaceWithoutAValueIsAnError() {
        assertThatThrownBy(() -> PageTemplate.of("{{forgotten}}").fill()).hasMessageContaining("{{forgotten}}");
    }
}
