package org.dhsa.eval.policy;

import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.dhsa.weights.NearNames;

/// A policy as it is written: `name` or `name:key=value,key=value`.
///
/// @param name   of the policy
/// @param values by parameter, in the order written
record PolicySpec(String name, Map<String, String> values) {

    PolicySpec {
        values = new LinkedHashMap<>(values);
    }

    /// @throws IllegalArgumentException if a part is no `key=value` or a key is given twice
    static PolicySpec parse(String text) {
        int colon = text.indexOf(':');
        String name = (colon < 0 ? text : text.substring(0, colon)).strip();
        Map<String, String> values = new LinkedHashMap<>();
        if (colon >= 0) {
            for (String part : text.substring(colon + 1).split(",", -1)) {
                int equals = part.indexOf('=');
                if (equals <= 0 || equals == part.length() - 1) {
                    throw new IllegalArgumentException("policy \"" + text + "\": \"" + part.strip() + "\" is not written key=value; a policy looks like "
                            + "dhsa:budget=256,block=32");
                }
                String key = part.substring(0, equals).strip();
                if (values.put(key, part.substring(equals + 1).strip()) != null) {
                    throw new IllegalArgumentException("policy \"" + text + "\": " + key + " is given twice");
                }
            }
        }
        return new PolicySpec(name, values);
    }

    PolicySpec with(String key, String value) {
        Map<String, String> changed = new LinkedHashMap<>(values);
        changed.put(key, value);
        return new PolicySpec(name, changed);
    }

    /// The same without a parameter.
    PolicySpec without(String key) {
        Map<String, String> changed = new LinkedHashMap<>(values);
        changed.remove(key);
        return new PolicySpec(name, changed);
    }

    @Override
    public String toString() {
        return values.isEmpty() ? name : name + ":" + values.entrySet().stream().map(e -> e.getKey() + "=" + e.getValue()).collect(Collectors.joining(","));
    }

    /// `unknown policy "slidng"; near names: sliding. All: …`.
    static IllegalArgumentException unknown(String what, String name, Collection<String> known) {
        List<String> near = NearNames.near(name, known);
        return new IllegalArgumentException("unknown " + what + " \"" + name + "\""
                + (near.isEmpty() ? "" : "; near names: " + String.join(", ", near)) + ". There are: " + String.join(", ", known));
    }

    int integer(String key, int otherwise, int minimum) {
        String text = values.get(key);
        if (text == null) {
            return otherwise;
        }
        try {
            int value = Integer.parseInt(text);
            if (value >= minimum) {
                return value;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw new IllegalArgumentException(name + ": " + key + " must be a whole number, at least " + minimum + ", was " + text);
    }

    double number(String key, double otherwise) {
        String text = values.get(key);
        if (text == null) {
            return otherwise;
        }
        try {
            return Double.parseDouble(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(name + ": " + key + " must be a number, was " + text, e);
        }
    }

    /// One of some words; the first of `choices` if the key is absent.
    String choice(String key, String... choices) {
        String text = values.getOrDefault(key, choices[0]);
        if (!Arrays.asList(choices).contains(text)) {
            throw new IllegalArgumentException(name + ": " + key + " must be one of " + String.join(", ", choices) + ", was " + text);
        }
        return text;
    }

    boolean shared(String key, boolean otherwise) {
        return otherwise ? choice(key, "shared", "each").equals("shared") : choice(key, "each", "shared").equals("shared");
    }
}
