package org.dhsa.backend;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Method;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class ForwardingBackendTest {

    /// The compiler does not ask for methods that have a default, and a hidden one would go unnoticed.
    @Test
    void everyMethodOfABackendIsPassedOn() {
        assertThat(Arrays.stream(ForwardingBackend.class.getDeclaredMethods()).map(Method::getName))
                .containsAll(Arrays.stream(Backend.class.getMethods()).map(Method::getName).toList());
    }
}
