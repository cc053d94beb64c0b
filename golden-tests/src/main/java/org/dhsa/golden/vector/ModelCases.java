package org.dhsa.golden.vector;

import org.dhsa.tensor.Shape;

/// Whole decoder layers and dense models.
final class ModelCases {

    private ModelCases() {}

    static void add(CaseList list) {
        layers(list);
        models(list);
        lengths(list);
    }

    private static CaseDraft layer(CaseList list, String name, String comment) {
        return list.gemma2("decoder-layer", name, "L1", comment);
    }

    private static void layers(CaseList list) {
        ModelDraft tiny = ModelDraft.TINY;
        tiny.layerInto(layer(list, "local", "layer 0, local, window 4").flags("WINDOW_EDGE", "FOUR_NORMS"), 0, 7);
        tiny.layerInto(layer(list, "global", "layer 1, global").flags("LAYER_PARITY", "FOUR_NORMS"), 1, 7);
        tiny.layerInto(layer(list, "layer-2", "layer 2 is local again").flags("LAYER_PARITY"), 2, 7);
        tiny.layerInto(layer(list, "layer-3", "layer 3 is global again").flags("LAYER_PARITY"), 3, 7);
        tiny.layerInto(layer(list, "one-token", "one token").flags("SIZE_ONE"), 0, 1);
        tiny.heads(4, 4, 4).layerInto(layer(list, "groups-1", "every query head has its own key/value head").flags("GQA"), 1, 6);
        tiny.heads(8, 1, 4).layerInto(layer(list, "groups-8", "eight query heads share one key/value head").flags("GQA"), 1, 6);
        tiny.heads(8, 4, 6).layerInto(layer(list, "head-dim-not-derived", "8 heads of 6, hiddenSize 12").flags("GQA", "GQA_ORDER", "HEAD_DIM_STATED"), 0, 6);
        tiny.loud(6).layerInto(layer(list, "cap-bites-local", "large attention logits, window").flags("CAP_BITES", "MASK_LAST"), 0, 8);
        tiny.loud(6).layerInto(layer(list, "cap-bites-global", "large attention logits, no window").flags("CAP_BITES"), 1, 8);
        tiny.caps(null, null).layerInto(layer(list, "no-cap", "no cap"), 1, 6);
        tiny.bf16().layerInto(layer(list, "bf16", "weights in bfloat16").flags("BF16_WEIGHTS"), 0, 7);
        tiny.sizes(23, 13, 19).heads(3, 1, 2).layerInto(layer(list, "odd-sizes", "13 channels, 19 inside, 3 heads of 2").flags("ODD_SIZE"), 0, 9);
        tiny.window(1).layerInto(layer(list, "window-1", "every token sees itself alone").flags("WINDOW_EDGE"), 0, 5);
        tiny.window(9).layerInto(layer(list, "window-longer-than-prompt", "the window hides nothing").flags("WINDOW_EDGE"), 0, 5);
    }

    private static CaseDraft model(CaseList list, String name, String level, String comment, int tokens, int vocab) {
        return list.gemma2("dense-model", name, level, comment).randomInts("ids", Shape.of("queryLen", tokens), 0, vocab);
    }

    private static void models(CaseList list) {
        ModelDraft tiny = ModelDraft.TINY;
        tiny.into(model(list, "two-layers", "L2", "one local and one global layer", 8, 23).flags("LAYER_PARITY"), "exact");
        tiny.layers(1).into(model(list, "one-layer", "L2", "one local layer", 6, 23).flags("WINDOW_EDGE"), "exact");
        tiny.layers(4).into(model(list, "four-layers", "L2", "four layers: an error in the order of kinds grows", 8, 23).flags("LAYER_PARITY"), "exact");
        tiny.into(model(list, "one-token", "L2", "one token", 1, 23).flags("SIZE_ONE"), "exact");
        tiny.into(model(list, "factor-rounded", "L2", "the root of 12 rounded to bfloat16").flags("INEXACT_ROOT"), "bf16-rounded");
        tiny.bf16().into(model(list, "bf16", "L2", "weights in bfloat16, exact factor", 8, 23).flags("BF16_WEIGHTS"), "exact");
        tiny.bf16().into(model(list, "bf16-factor-rounded", "L2", "weights in bfloat16, rounded factor", 8, 23).flags("BF16_WEIGHTS", "INEXACT_ROOT"), "bf16-rounded");
        tiny.heads(8, 1, 4).into(model(list, "groups-8", "L2", "eight query heads share one key/value head", 7, 23).flags("GQA"), "exact");
        tiny.heads(8, 4, 2).into(model(list, "groups-2-of-4", "L2", "two query heads to each of four key/value heads", 7, 23).flags("GQA", "GQA_ORDER"), "exact");
        tiny.sizes(29, 13, 17).heads(3, 1, 2).into(model(list, "odd-sizes", "L2", "13 channels, 17 inside, 3 heads of 2, a vocabulary of 29", 9, 29).flags("ODD_SIZE"), "exact");
        tiny.loud(3).into(model(list, "final-cap-bites", "L2", "final logits that the cap bites", 8, 23).flags("FINAL_CAP"), "exact");
        tiny.loud(3).caps(50.0, null).into(model(list, "no-final-cap", "L2", "the same without a final cap", 8, 23).flags("FINAL_CAP"), "exact");
    }

    private static CaseDraft model(CaseList list, String name, String level, String comment) {
        return model(list, name, level, comment, 8, 23);
    }

    private static void lengths(CaseList list) {
        ModelDraft tiny = ModelDraft.TINY;
        String[] few = {"context", "hidden", "logits"};
        tiny.window(8).into(model(list, "length-48-window-8", "L3", "six windows", 48, 23).flags("WINDOW_EDGE").only(few), "exact");
        tiny.window(16).loud(4).into(model(list, "length-64-cap-bites", "L3", "four windows, attention logits that the cap bites", 64, 23).flags("WINDOW_EDGE", "CAP_BITES", "MASK_LAST").only(few), "exact");
        tiny.window(7).loud(4).into(model(list, "length-61-window-7", "L3", "two primes, large logits", 61, 23).flags("WINDOW_EDGE", "CAP_BITES", "ODD_SIZE").only(few), "exact");
        tiny.window(16).layers(3).into(model(list, "length-33-window-16", "L3", "one more than two windows, three layers", 33, 23).flags("WINDOW_EDGE", "LAYER_PARITY").only(few), "exact");
        tiny.window(16).into(model(list, "length-16-window-16", "L3", "exactly one window: nothing is hidden", 16, 23).flags("WINDOW_EDGE").only(few), "exact");
        tiny.window(16).into(model(list, "length-17-window-16", "L3", "one more than the window: token 0 is out of sight of the last", 17, 23).flags("WINDOW_EDGE").only(few), "exact");
        tiny.window(12).bf16().loud(4).into(model(list, "length-50-bf16", "L3", "weights in bfloat16", 50, 23).flags("WINDOW_EDGE", "BF16_WEIGHTS", "CAP_BITES").only(few), "bf16-rounded");
    }
}
