package org.dhsa.docs;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.dhsa.tensor.DoubleTensor;
import org.dhsa.tensor.Shape;

/// One `toy` block of a page: names and numbers, each either an input of the computation or a result that is checked.
///
/// A number is held to the digits that are printed: 0.1667 to half a unit of its fourth digit, 2 to all of them.
final class Toy {

    private static final ObjectMapper JSON = new ObjectMapper()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .setNodeFactory(JsonNodeFactory.withExactBigDecimals(true));
    private static final Pattern START = Pattern.compile("^(\\w+)\\s*=\\s*(.*)$");

    private final Map<String, JsonNode> values = new LinkedHashMap<>();
    private final Set<String> used = new HashSet<>();

    private Toy() {}

    static Toy parse(String block) {
        Toy toy = new Toy();
        String name = null;
        StringBuilder json = new StringBuilder();
        for (String line : (block + "\nend = 0").split("\n")) {
            Matcher start = START.matcher(line);
            if (!start.matches()) {
                json.append(line);
                continue;
            }
            if (name != null) {
                try {
                    assertThat(toy.values.put(name, JSON.readTree(json.toString()))).as(name + " is there twice").isNull();
                } catch (JsonProcessingException e) {
                    throw new IllegalArgumentException(name + " = " + json + " is no number, text or list of them", e);
                }
            }
            name = start.group(1);
            json.setLength(0);
            json.append(start.group(2));
        }
        return toy;
    }

    /// Results must all have been looked at, or a number on the page is not checked.
    void requireAllUsed() {
        assertThat(values.keySet()).as("every name of the block is an input or a checked result").isSubsetOf(used);
    }

    boolean has(String name) {
        return values.containsKey(name);
    }

    private JsonNode node(String name) {
        used.add(name);
        assertThat(values).as("names in the toy block").containsKey(name);
        return values.get(name);
    }

    double number(String name) {
        return node(name).doubleValue();
    }

    int integer(String name) {
        assertThat(node(name).isIntegralNumber()).as(name + " is an integer").isTrue();
        return node(name).intValue();
    }

    double[] numbers(String name) {
        return flat(node(name)).stream().mapToDouble(JsonNode::doubleValue).toArray();
    }

    int[] integers(String name) {
        return flat(node(name)).stream().mapToInt(JsonNode::intValue).toArray();
    }

    boolean[] flags(String name) {
        int[] integers = integers(name);
        boolean[] flags = new boolean[integers.length];
        for (int i = 0; i < flags.length; i++) {
            flags[i] = integers[i] != 0;
        }
        return flags;
    }

    /// The value as a tensor with these axes; extents are those of the nested lists.
    DoubleTensor tensor(String name, String... axes) {
        JsonNode at = node(name);
        Object[] shape = new Object[2 * axes.length];
        for (int a = 0; a < axes.length; a++) {
            shape[2 * a] = axes[a];
            shape[2 * a + 1] = at.size();
            at = at.path(0);
        }
        return DoubleTensor.of(Shape.of(shape), numbers(name));
    }

    /// Lengths of the nested lists.
    long[] dims(String name) {
        List<Long> dims = new ArrayList<>();
        for (JsonNode at = node(name); at.isArray(); at = at.path(0)) {
            dims.add((long) at.size());
        }
        return dims.stream().mapToLong(Long::longValue).toArray();
    }

    void check(String name, double... actual) {
        List<JsonNode> expected = flat(node(name));
        assertThat(actual).as(name + ", number of values").hasSize(expected.size());
        for (int i = 0; i < actual.length; i++) {
            int decimals = Math.max(0, expected.get(i).decimalValue().scale());
            double half = decimals == 0 ? 1e-9 : 0.5000001 * Math.pow(10, -decimals);
            assertThat(Math.abs(actual[i] - expected.get(i).doubleValue()))
                    .as("%s[%d]: the page says %s, computed %s", name, i, expected.get(i), actual[i]).isLessThanOrEqualTo(half);
        }
    }

    void check(String name, int... actual) {
        double[] widened = new double[actual.length];
        for (int i = 0; i < actual.length; i++) {
            widened[i] = actual[i];
        }
        check(name, widened);
    }

    /// Lists of different lengths: compared with their shape, not only flat.
    void checkLists(String name, List<int[]> actual) {
        assertThat(JSON.<JsonNode>valueToTree(actual).toString()).as(name).isEqualTo(node(name).toString());
    }

    void checkPicture(String name, List<String> actual) {
        assertThat(String.join("\n", actual)).as(name)
                .isEqualTo(String.join("\n", flat(node(name)).stream().map(JsonNode::textValue).toList()));
    }

    private static List<JsonNode> flat(JsonNode node) {
        if (!node.isArray()) {
            return List.of(node);
        }
        List<JsonNode> leaves = new ArrayList<>();
        node.forEach(child -> leaves.addAll(flat(child)));
        return leaves;
    }
}
