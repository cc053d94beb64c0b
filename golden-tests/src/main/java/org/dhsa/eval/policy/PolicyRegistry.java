package org.dhsa.eval.policy;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.dhsa.model.DhsaConfig;
import org.dhsa.model.Profile;
import org.dhsa.policy.BlockTopKPolicy;
import org.dhsa.policy.BudgetRule;
import org.dhsa.policy.CachePolicy;
import org.dhsa.policy.ChunkScoring;
import org.dhsa.policy.ChunkSource;
import org.dhsa.policy.DensePolicy;
import org.dhsa.policy.DhsaPolicy;
import org.dhsa.policy.OraclePolicy;
import org.dhsa.policy.SelectionPolicy;
import org.dhsa.policy.StreamingPolicy;

/// Every policy by its name.
///
/// {@snippet :
/// SelectionPolicy policy = PolicyRegistry.create("streaming:sinks=4,window=252", PolicyResources.NONE);
/// SelectionPolicy same = PolicyRegistry.create(policy.name(), PolicyResources.NONE);
/// }
public final class PolicyRegistry {

    /// One parameter of a policy.
    ///
    /// @param otherwise what holds when it is not given, in words
    public record Parameter(String name, String otherwise, String meaning) {}

    /// One policy.
    public record Entry(String name, String summary, List<Parameter> parameters) {
        List<String> parameterNames() {
            return parameters.stream().map(Parameter::name).toList();
        }
    }

    private record Known(Entry entry, BiFunction<PolicySpec, PolicyResources, SelectionPolicy> make, BiFunction<PolicySpec, Integer, PolicySpec> budget) {}

    /// Takes one policy into the registry.
    interface Adder {
        /// @param make   the policy of a spec
        /// @param budget the spec at another budget of keys per list
        void add(String name, String summary, List<Parameter> parameters, BiFunction<PolicySpec, PolicyResources, SelectionPolicy> make,
                 BiFunction<PolicySpec, Integer, PolicySpec> budget);
    }

    static final int BUDGET = 256;
    private static final Parameter BLOCK_OF_ONE = new Parameter("block", "1", "rows that share a list; above 1 a row reads up to block - 1 keys more");
    private static final Parameter HEADS_SHARED = new Parameter("heads", "shared", "shared: one list for all heads; each: every head for itself");
    private static final Parameter HEADS_EACH = new Parameter("heads", "each", HEADS_SHARED.meaning());

    private static final Parameter WINDOW = new Parameter("window", "8", "last queries of the prompt that score, whose own keys are kept");

    /// How a budget is shared out; see [BudgetRule].
    static final List<Parameter> RULE = List.of(
            new Parameter("rule", "static", "static, top-p, water-filling, per-layer: who spends the pairs of the static budget; never more of them"),
            new Parameter("mass", "0.9", "share of the estimated attention mass at which top-p and per-layer stop"));

    private static final Map<String, Known> KNOWN = new LinkedHashMap<>();

    static {
        add("dense", "every visible key", List.of(), (s, r) -> new DensePolicy(), (s, b) -> s);
        add("sliding", "the most recent keys", List.of(new Parameter("window", "256", "recent keys, the row's own included"), BLOCK_OF_ONE),
                (s, r) -> new StreamingPolicy(0, s.integer("window", BUDGET, 1), s.integer("block", 1, 1)),
                (s, b) -> s.with("window", String.valueOf(b)));
        add("streaming", "StreamingLLM: the first keys and the most recent ones",
                List.of(new Parameter("sinks", "4", "first keys"), new Parameter("window", "252", "recent keys, the row's own included"), BLOCK_OF_ONE),
                (s, r) -> new StreamingPolicy(s.integer("sinks", 4, 1), s.integer("window", BUDGET - 4, 1), s.integer("block", 1, 1)),
                (s, b) -> s.with("window", String.valueOf(Math.max(1, b - s.integer("sinks", 4, 1)))));
        add("block-topk", "block-sparse attention, the paper's baseline: whole fixed blocks by the dot product of their means",
                List.of(new Parameter("budget", "256", "keys per query block, its own block included"),
                        new Parameter("block", "64, or budget / 8 if smaller", "queries and keys per block"), HEADS_SHARED, RULE.get(0), RULE.get(1)),
                (s, r) -> {
                    int budget = s.integer("budget", BUDGET, 1);
                    return new BlockTopKPolicy(s.integer("block", eighth(budget, 64), 1), budget, s.shared("heads", true), rule(s));
                }, PolicyRegistry::replaceBudget);
        add("dhsa", "DHSA: keys by the score of their dynamic chunk",
                List.of(new Parameter("budget", "256", "keys per query block, forced ones included; also keys of a decoded token"),
                        new Parameter("block", "128, or budget / 8 if smaller", "queries that share a list"),
                        new Parameter("local", "128, or budget / 8 if smaller", "recent keys always read"),
                        new Parameter("sinks", "128, or budget / 8 if smaller", "first keys always read"),
                        new Parameter("chunking", "predicted", "predicted, fixed-N, random (lengths of the predicted chunks, shuffled), sentences, labels"),
                        new Parameter("aggregation", "mean-sqrt", "mean-sqrt, mean, sum, max, max-on-queries, min-max"), HEADS_SHARED,
                        new Parameter("queries", "blocks", "blocks: fixed blocks of queries; chunks: the chunks of the keys"),
                        new Parameter("boundaries", "shared", "shared: layer 0's for all layers; each: every layer finds its own"),
                        new Parameter("masks", "each", "shared: the first local and the first global layer choose for all of their kind"),
                        new Parameter("profile", "corrected", "corrected or upstream"),
                        new Parameter("theta", "1.1", "threshold of the boundary logit (of the mass ratio with labels), or none"),
                        new Parameter("nms", "8", "suppression distance"), new Parameter("beta", "8", "chunks per block of the prompt, at most"),
                        new Parameter("seed", "0", "of the random chunks"), RULE.get(0), RULE.get(1)),
                PolicyRegistry::dhsa, PolicyRegistry::replaceBudget);
        add("oracle-row", "best keys of each row by the true attention", List.of(new Parameter("budget", "256", "keys per row"), HEADS_EACH),
                (s, r) -> new OraclePolicy(1, s.shared("heads", false), s.integer("budget", BUDGET, 1), 0), PolicyRegistry::replaceBudget);
        add("oracle-block", "best keys of each query block by the true attention",
                List.of(new Parameter("budget", "256", "keys per query block"), new Parameter("block", "128, or budget / 8 if smaller", "queries that share a list"),
                        HEADS_SHARED),
                (s, r) -> {
                    int budget = s.integer("budget", BUDGET, 1);
                    return new OraclePolicy(s.integer("block", eighth(budget, 128), 1), s.shared("heads", true), budget, 0);
                }, PolicyRegistry::replaceBudget);
        add("oracle-topp", "the fewest keys that hold a share of the true attention",
                List.of(new Parameter("mass", "0.95", "share of the attention mass, above 0 and at most 1"), new Parameter("block", "1", "rows that share a list"), HEADS_EACH),
                (s, r) -> new OraclePolicy(s.integer("block", 1, 1), s.shared("heads", false), 0, s.number("mass", 0.95)), (s, b) -> s);
        cache(CachePolicy.Kind.H2O, "decoding only: the prompt's keys that its last queries looked at most", WINDOW, true);
        cache(CachePolicy.Kind.STREAMING_CACHE, "decoding only: the prompt's first keys and its last ones", new Parameter("sinks", "4", "first keys of the prompt"), false);
        cache(CachePolicy.Kind.PYRAMIDKV, "decoding only: as h2o, smoothed, the budget falling from layer to layer", WINDOW, true);
        cache(CachePolicy.Kind.SNAPKV, "decoding only: as h2o, smoothed, every group of heads for itself", WINDOW, true);
        EstimatingPolicies.addTo(PolicyRegistry::add);
        PagePolicies.addTo(PolicyRegistry::add);
        GatePolicies.addTo(PolicyRegistry::add);
    }

    private PolicyRegistry() {}

    private static void cache(CachePolicy.Kind kind, String summary, Parameter window, boolean scored) {
        boolean smoothed = kind == CachePolicy.Kind.PYRAMIDKV || kind == CachePolicy.Kind.SNAPKV;
        Stream<Parameter> parameters = Stream.of(new Parameter("budget", "256", "keys kept of the prompt"), window);
        parameters = smoothed ? Stream.concat(parameters, Stream.of(new Parameter("kernel", "5", "odd width of the smoothing"))) : parameters;
        parameters = kind == CachePolicy.Kind.PYRAMIDKV ? Stream.concat(parameters, Stream.of(new Parameter("beta", "20", "how steep the pyramid is"))) : parameters;
        add(kind.slug(), summary, parameters.toList(), (s, r) -> new CachePolicy(kind, s.integer("budget", BUDGET, 1),
                scored ? s.integer("window", 8, 1) : s.integer("sinks", 4, 1), s.integer("kernel", 5, 1), s.integer("beta", 20, 1)), PolicyRegistry::replaceBudget);
    }

    private static void add(String name, String summary, List<Parameter> parameters,
                            BiFunction<PolicySpec, PolicyResources, SelectionPolicy> make, BiFunction<PolicySpec, Integer, PolicySpec> budget) {
        KNOWN.put(name, new Known(new Entry(name, summary, parameters), make, budget));
    }

    /// All policies, in the order of the documentation.
    public static List<Entry> entries() {
        return KNOWN.values().stream().map(Known::entry).toList();
    }

    /// @param spec `name` or `name:key=value,key=value`
    /// @throws IllegalArgumentException naming what is wrong, and near names where a name is unknown
    public static SelectionPolicy create(String spec, PolicyResources resources) {
        PolicySpec parsed = PolicySpec.parse(spec);
        return known(parsed).make().apply(parsed, resources);
    }

    /// The same policy at another budget: keys per list, its sinks and its own block included. Dense and top-p stay as they are.
    ///
    /// @return a spec for [#create]
    public static String withBudget(String spec, int budget) {
        if (budget <= 0) {
            throw new IllegalArgumentException("the budget must be positive, was " + budget);
        }
        PolicySpec parsed = PolicySpec.parse(spec);
        return known(parsed).budget().apply(parsed, budget).toString();
    }

    private static Known known(PolicySpec spec) {
        Known known = KNOWN.get(spec.name());
        if (known == null) {
            throw PolicySpec.unknown("policy", spec.name(), KNOWN.keySet());
        }
        Optional<String> noRule = WithoutRule.reason(spec.name());
        if (spec.values().containsKey("rule") && noRule.isPresent()) {
            throw new IllegalArgumentException(spec.name() + " takes no rule: " + noRule.get() + "; leave rule out, or take a policy of blocks, pages, chunks or clusters");
        }
        for (String key : spec.values().keySet()) {
            if (!known.entry().parameterNames().contains(key)) {
                throw known.entry().parameters().isEmpty() ? new IllegalArgumentException(spec.name() + " takes no parameters, was given " + key)
                        : PolicySpec.unknown("parameter of " + spec.name(), key, known.entry().parameterNames());
            }
        }
        return known;
    }

    static PolicySpec replaceBudget(PolicySpec spec, int budget) {
        return spec.with("budget", String.valueOf(budget));
    }

    /// A default that shrinks with the budget: an eighth of it, at least 1.
    static int eighth(int budget, int most) {
        return Math.max(1, Math.min(most, budget / 8));
    }

    private static SelectionPolicy dhsa(PolicySpec s, PolicyResources resources) {
        int budget = s.integer("budget", BUDGET, 1);
        boolean noTheta = s.values().getOrDefault("theta", "").equals("none");
        DhsaConfig config = DhsaConfig.DEFAULT.with(b -> {
            b.budget = budget;
            b.decodeBudget = budget;
            b.blockSize = s.integer("block", eighth(budget, 128), 1);
            b.localTokens = s.integer("local", eighth(budget, 128), 0);
            b.globalTokens = s.integer("sinks", eighth(budget, 128), 0);
            b.instructionTokens = OptionalInt.empty();
            b.queryChunking = s.choice("queries", "blocks", "chunks").equals("chunks") ? DhsaConfig.QueryChunking.DYNAMIC_CHUNKS : DhsaConfig.QueryChunking.FIXED_BLOCKS;
            b.shareBoundaries = s.shared("boundaries", true);
            b.shareMasks = s.shared("masks", false);
            b.quirks = s.choice("profile", "corrected", "upstream").equals("upstream") ? Profile.UPSTREAM.quirks() : Profile.CORRECTED.quirks();
            b.theta = noTheta ? OptionalDouble.empty() : OptionalDouble.of(s.number("theta", 1.1));
            b.nmsWindow = s.integer("nms", 8, 0);
            b.chunkBeta = s.integer("beta", 8, 0);
        });
        String[] scorings = Stream.concat(Stream.of(ChunkScoring.MEAN_SQRT), Stream.of(ChunkScoring.values()).filter(c -> c != ChunkScoring.MEAN_SQRT))
                .map(ChunkScoring::slug).toArray(String[]::new);
        String scoring = s.choice("aggregation", scorings);
        return new DhsaPolicy(config, chunks(s, resources), Stream.of(ChunkScoring.values()).filter(c -> c.slug().equals(scoring)).findFirst().orElseThrow(),
                s.shared("heads", true), rule(s));
    }

    static BudgetRule rule(PolicySpec s) {
        String rule = s.choice("rule", Stream.of(BudgetRule.Kind.values()).map(BudgetRule.Kind::slug).toArray(String[]::new));
        BudgetRule.Kind kind = Stream.of(BudgetRule.Kind.values()).filter(k -> k.slug().equals(rule)).findFirst().orElseThrow();
        if (s.values().containsKey("mass") && kind != BudgetRule.Kind.TOP_P && kind != BudgetRule.Kind.PER_LAYER) {
            throw new IllegalArgumentException(s.name() + ": mass belongs to rule=top-p and rule=per-layer, not to rule=" + rule);
        }
        try {
            return new BudgetRule(kind, s.number("mass", kind == BudgetRule.Kind.TOP_P || kind == BudgetRule.Kind.PER_LAYER ? 0.9 : 1));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(s.name() + ": " + e.getMessage(), e);
        }
    }

    static ChunkSource chunks(PolicySpec s, PolicyResources resources) {
        String text = s.values().getOrDefault("chunking", "predicted");
        if (text.startsWith("fixed-")) {
            return new ChunkSource.Fixed(new PolicySpec(s.name(), Map.of("chunking=fixed-N", text.substring("fixed-".length()))).integer("chunking=fixed-N", 0, 1));
        }
        return switch (text) {
            case "predicted" -> predicted(s, resources);
            case "random" -> new ChunkSource.Shuffled(predicted(s, resources), s.integer("seed", 0, Integer.MIN_VALUE));
            case "sentences" -> {
                if (resources.sentenceEndIds().isEmpty()) {
                    throw new IllegalArgumentException(s.name() + ": chunking=sentences needs to know which tokens end a sentence, and for this model it is not known");
                }
                yield new ChunkSource.SentenceEnds(resources.sentenceEndIds());
            }
            case "labels" -> new ChunkSource.Labels(resources.predictor().map(p -> p.window()).orElse(4), s.number("theta", 1.1));
            default -> throw new IllegalArgumentException("dhsa: chunking must be one of predicted, fixed-N, random, sentences, labels, was " + text);
        };
    }

    private static ChunkSource predicted(PolicySpec s, PolicyResources resources) {
        return new ChunkSource.Predicted(resources.predictor().orElseThrow(() -> new IllegalArgumentException(
                s.name() + ": chunking=predicted and random need a boundary predictor: give one, or choose chunking=fixed-16")));
    }
}
