package org.dhsa.eval.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.dhsa.model.Profile;
import org.dhsa.policy.BlockTopKPolicy;
import org.dhsa.policy.ChunkScoring;
import org.dhsa.policy.ChunkSource;
import org.dhsa.policy.DhsaPolicy;
import org.dhsa.policy.FlexPrefillPolicy;
import org.dhsa.policy.MInferenceVerticalSlashPolicy;
import org.dhsa.policy.OraclePolicy;
import org.dhsa.policy.SelectionPolicy;
import org.dhsa.policy.StreamingPolicy;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class PolicyRegistryTest {

    private static final PolicyResources SENTENCES = new PolicyResources(PolicyResources.NONE.predictor(), Set.of(7));

    static Stream<String> specs() {
        return Stream.concat(PolicyRegistry.entries().stream().map(PolicyRegistry.Entry::name).filter(n -> !Set.of("dhsa", "seerattention", "vsprefill", "icml-learned").contains(n)),
                Stream.of("dhsa:chunking=fixed-16", "dhsa:chunking=sentences,heads=each,aggregation=min-max", "dhsa:budget=512,block=64,local=16,sinks=4,chunking=labels,theta=2.5",
                        "dhsa:chunking=fixed-8,profile=upstream,queries=chunks,masks=shared,boundaries=each,theta=none", "oracle-topp:mass=0.5,block=4,heads=shared",
                        "quest:budget=96,page=8,min-pages=3,dense-layers=0,prompt=sparse,chunking=fixed-12", "quest:chunking=sentences",
                        "tactic:p=0.75,cluster=8,exact=0.1,first=0.2,second=0.5,width=0.05,iterations=3,seed=7,prompt=sparse",
                        "squeezed:keep=0.1,centroids=0.2,input=9,window=12,levels=2,keep-coarse=0.25,coarse=0.02,iterations=4,seed=-1",
                        "delta:budget=64,page=4,recent=3,dense-layers=1,deltas=1+4+9,prompt=sparse", "cascade:budget=40,sinks=2,cascades=3,stride=8,beta=0.5",
                        "tca:budget=64,block=16,window=5,mass=0.5", "sparse-accelerate:budget=64,block=16,interval=4,window=9"));
    }

    @ParameterizedTest
    @MethodSource("specs")
    void aPolicysNameMakesItAgain(String spec) {
        String name = PolicyRegistry.create(spec, SENTENCES).name();
        assertThat(PolicyRegistry.create(name, SENTENCES)).isEqualTo(PolicyRegistry.create(spec, SENTENCES));
        assertThat(PolicyRegistry.create(name, SENTENCES).name()).isEqualTo(name);
    }

    @Test
    void parametersReachThePolicy() {
        assertThat(PolicyRegistry.create("streaming:sinks=3,window=20,block=5", SENTENCES)).isEqualTo(new StreamingPolicy(3, 20, 5));
        assertThat(PolicyRegistry.create("sliding:window=9", SENTENCES)).isEqualTo(new StreamingPolicy(0, 9, 1));
        assertThat(PolicyRegistry.create("block-topk:budget=96,block=32,heads=each", SENTENCES)).isEqualTo(new BlockTopKPolicy(32, 96, false));
        assertThat(PolicyRegistry.create("oracle-block:budget=64", SENTENCES)).isEqualTo(OraclePolicy.block(8, 64));
        assertThat(PolicyRegistry.create("flexprefill:gamma=0.8,tau=0.2,min_budget=32,max_budget=64,block_size=16,profile=upstream", SENTENCES))
                .isEqualTo(new FlexPrefillPolicy(0.8, 0.2, 32, 64, 16, Profile.UPSTREAM));
        assertThat(PolicyRegistry.create("minference-vertical-slash:vertical_size=30,slash_size=50", SENTENCES))
                .isEqualTo(new MInferenceVerticalSlashPolicy(30, 50, 64, 10, Profile.CORRECTED));
        DhsaPolicy dhsa = (DhsaPolicy) PolicyRegistry.create("dhsa:budget=200,block=20,local=5,sinks=3,chunking=fixed-32,aggregation=sum,nms=4,beta=2", SENTENCES);
        assertThat(dhsa.chunks()).isEqualTo(new ChunkSource.Fixed(32));
        assertThat(dhsa.scoring()).isEqualTo(ChunkScoring.SUM);
        assertThat(List.of(dhsa.config().budget(), dhsa.config().decodeBudget(), dhsa.config().blockSize(), dhsa.config().localTokens(), dhsa.config().globalTokens(),
                dhsa.config().nmsWindow(), dhsa.config().chunkBeta())).containsExactly(200, 200, 20, 5, 3, 4, 2);
        assertThat(((DhsaPolicy) PolicyRegistry.create("dhsa:chunking=fixed-16,profile=upstream", SENTENCES)).config().quirks()).isEqualTo(Profile.UPSTREAM.quirks());
    }

    /// At the published budget the defaults are the published sizes.
    @Test
    void defaultsShrinkWithTheBudget() {
        DhsaPolicy published = (DhsaPolicy) PolicyRegistry.create("dhsa:budget=1024,chunking=fixed-16", SENTENCES);
        assertThat(List.of(published.config().blockSize(), published.config().localTokens(), published.config().globalTokens())).containsExactly(128, 128, 128);
        DhsaPolicy small = (DhsaPolicy) PolicyRegistry.create("dhsa:budget=64,chunking=fixed-16", SENTENCES);
        assertThat(List.of(small.config().blockSize(), small.config().localTokens(), small.config().globalTokens())).containsExactly(8, 8, 8);
    }

    @Test
    void oneBudgetForAll() {
        assertThat(PolicyRegistry.withBudget("dense", 64)).isEqualTo("dense");
        assertThat(PolicyRegistry.withBudget("sliding:block=4", 64)).isEqualTo("sliding:block=4,window=64");
        assertThat(PolicyRegistry.withBudget("streaming:sinks=8", 64)).isEqualTo("streaming:sinks=8,window=56");
        assertThat(PolicyRegistry.withBudget("dhsa:budget=1,chunking=fixed-16", 64)).isEqualTo("dhsa:budget=64,chunking=fixed-16");
        assertThat(PolicyRegistry.withBudget("minference-a-shape", 64)).isEqualTo("minference-a-shape:n_init=12,n_local=52");
        assertThat(PolicyRegistry.withBudget("minference-vertical-slash", 70)).isEqualTo("minference-vertical-slash:vertical_size=10,slash_size=60");
        assertThat(PolicyRegistry.withBudget("minference-block-sparse", 64)).isEqualTo("minference-block-sparse:block_size=8,top_k=8");
        assertThat(PolicyRegistry.withBudget("flexprefill", 64)).isEqualTo("flexprefill:max_budget=32,min_budget=32");
        assertThat(PolicyRegistry.withBudget("xattention", 64)).as("a share of the mass").isEqualTo("xattention");
        assertThatIllegalArgumentException().isThrownBy(() -> PolicyRegistry.withBudget("dense", 0)).withMessage("the budget must be positive, was 0");
    }

    /// A share is turned where a method has no budget of keys.
    @Test
    void sharesAreTurnedToo() {
        assertThat(PolicyKnob.of("tactic:cluster=8", 256).orElseThrow().at(250)).isEqualTo("tactic:cluster=8,p=0.250");
        assertThat(PolicyKnob.of("squeezed", 256).orElseThrow().at(1000)).isEqualTo("squeezed:keep=1.000");
        assertThat(PolicyKnob.of("quest", 256).orElseThrow().at(64)).isEqualTo("quest:budget=64");
    }

    /// A policy takes a rule, or says why not, and the documentation lists it on the same side.
    @Test
    void everyPolicyTakesARuleOrSaysWhyNot() throws IOException {
        String docs = Files.readString(Path.of("../docs/policies.md"));
        for (PolicyRegistry.Entry entry : PolicyRegistry.entries()) {
            boolean takes = entry.parameters().stream().anyMatch(p -> p.name().equals("rule"));
            assertThat(WithoutRule.reason(entry.name()).isPresent()).as(entry.name()).isEqualTo(!takes);
            String line = docs.lines().filter(l -> l.matches("\\| (`[a-z0-9-]+`, )*`" + entry.name() + "`(, `[a-z0-9-]+`)* \\| (all|top-p, water-filling|none) \\|.*")).findFirst()
                    .orElseThrow(() -> new AssertionError("docs/policies.md does not say which rules " + entry.name() + " takes"));
            assertThat(line.contains("| none |")).as(line).isEqualTo(!takes);
        }
    }

    @ParameterizedTest(name = "{0}")
    @ValueSource(strings = {"flexprefill:rule=top-p,mass=0.8", "tactic:rule=water-filling", "squeezed:levels=2,rule=per-layer,mass=0.7", "delta:rule=top-p", "sparse-accelerate:rule=water-filling"})
    void rulesArePartOfTheName(String spec) {
        SelectionPolicy policy = PolicyRegistry.create(spec, PolicyResources.NONE);
        assertThat(policy.name()).contains("rule=");
        assertThat(PolicyRegistry.create(policy.name(), PolicyResources.NONE)).isEqualTo(policy);
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', value = {
        "slidng:window=4 | unknown policy \"slidng\"; near names: sliding",
        "dhsa:buget=4 | unknown parameter of dhsa \"buget\"; near names: budget",
        "dense:budget=4 | dense takes no parameters, was given budget",
        "sliding:window | \"window\" is not written key=value",
        "sliding:window=4,window=5 | window is given twice",
        "sliding:window=0 | sliding: window must be a whole number, at least 1, was 0",
        "sliding:window=many | sliding: window must be a whole number, at least 1, was many",
        "dhsa:chunking=fixed-0 | chunking=fixed-N must be a whole number, at least 1, was 0",
        "dhsa:chunking=magic | chunking must be one of predicted, fixed-N, random, sentences, labels, was magic",
        "dhsa:chunking=predicted | need a boundary predictor",
        "dhsa:chunking=fixed-4,aggregation=media | aggregation must be one of mean-sqrt, mean,",
        "dhsa:chunking=fixed-4,budget=8,block=16 | budget must be at least blockSize",
        "quest:chunking=labels | quest: chunking must be one of pages, predicted, fixed-N, sentences, was labels",
        "quest:chunking=predicted | quest: chunking=predicted and random need a boundary predictor",
        "tactic:p=0 | p must be above 0 and at most 1, was 0.0",
        "squeezed:keep=2 | keep must be above 0 and at most 1, was 2.0",
        "squeezed:levels=2,coarse=0.5 | fewer coarse clusters than fine ones",
        "delta:deltas=2,dense-layers=3 | deltas must rise, from 3 on, were [2]",
        "delta:deltas=2-3 | deltas must be spread, or layers as 2+14+22, was 2-3",
        "delta:rule=per-layer | delta takes no rule=per-layer: one choice of pages serves several layers",
        "cascade:rule=top-p | cascade takes no rule: it holds single keys, and what a row reads decides what later rows can read, so pairs cannot move between rows; leave rule out,",
        "tca:rule=water-filling,mass=0.9 | tca takes no rule: it ranks single keys by redundancy",
        "sample-attention:rule=per-layer | sample-attention takes no rule: one choice of columns serves all rows",
        "dense:rule=top-p | dense takes no rule: every visible key is read",
        "cascade:budget=4 | budget must hold the sinks and one key per cascade",
        "cascade:beta=1 | beta must be at least 0 and below 1, was 1.0",
        "oracle-topp:mass=1.5 | a mass above 0 and at most 1",
        "oracle-topp:mass=much | mass must be a number, was much",
        "h2o:budget=16,window=8 | budget must exceed twice the window",
        "xattention:stride=12 | stride must divide block_size, were 12 and 128",
        "flexprefill:max_budget=512 | max_budget must be none or at least min_budget, were 512 and 1024",
        "snapkv:budget=64,kernel=4 | kernel must be odd, was 4"})
    void whatIsWrongIsNamed(String spec, String message) {
        assertThatIllegalArgumentException().isThrownBy(() -> PolicyRegistry.create(spec, PolicyResources.NONE)).withMessageContaining(message);
    }
}
