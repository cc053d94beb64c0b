package org.dhsa.demo;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A page with `{{names}}` in it. Text is escaped; what is HTML already must be said to be.
public final class PageTemplate {

    private static final Pattern PLACE = Pattern.compile("\\{\\{([a-z-]+)}}");

    private final String template;
    private final Map<String, String> values = new HashMap<>();

    private PageTemplate(String template) {
        this.template = template;
    }

    /// A resource beside this class.
    static PageTemplate load(String resource) {
        return load(PageTemplate.class, resource);
    }

    /// A resource beside the given class.
    public static PageTemplate load(Class<?> beside, String resource) {
        try (InputStream in = beside.getResourceAsStream(resource)) {
            if (in == null) {
                throw new IllegalStateException("the resource " + resource + " is not on the class path");
            }
            return new PageTemplate(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public static PageTemplate of(String template) {
        return new PageTemplate(template);
    }

    public PageTemplate text(String name, String value) {
        return html(name, escape(value));
    }

    public PageTemplate html(String name, String value) {
        values.put(name, value);
        return this;
    }

    /// JSON for a `script` element: no character in it can end the element.
    PageTemplate json(String name, String value) {
        return html(name, value.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
                .replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"));
    }

    /// @throws IllegalStateException if a place has no value
    public String fill() {
        return PLACE.matcher(template).replaceAll(place -> {
            String value = values.get(place.group(1));
            if (value == null) {
                throw new IllegalStateException("nothing was given for {{" + place.group(1) + "}}");
            }
            return Matcher.quoteReplacement(value);
        });
    }

    /// Safe inside an element and inside a quoted attribute.
    public static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;").replace("'", "&#39;");
    }
}
