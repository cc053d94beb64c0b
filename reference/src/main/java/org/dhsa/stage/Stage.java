package org.dhsa.stage;

/// Every stage that a backend may bring, in the order a token meets them.
///
/// The slug is the stage's name everywhere: documentation page, kernel file, test name, and the stage that a comparison
/// names.
public enum Stage {
    EMBEDDING("embedding", Family.GEMMA2),
    RMS_NORM("rms-norm", Family.GEMMA2),
    QKV_PROJECTION("qkv-projection", Family.GEMMA2),
    ROTARY_EMBEDDING("rotary-embedding", Family.GEMMA2),
    DENSE_ATTENTION("dense-attention", Family.GEMMA2),
    BOUNDARY_PREDICTION("boundary-prediction", Family.DHSA),
    NON_MAXIMUM_SUPPRESSION("non-maximum-suppression", Family.DHSA),
    CHUNK_REPRESENTATION("chunk-representation", Family.DHSA),
    CHUNK_SIMILARITY("chunk-similarity", Family.DHSA),
    UPSAMPLING("upsampling", Family.DHSA),
    TOP_K_SELECTION("top-k-selection", Family.DHSA),
    SPARSE_ATTENTION("sparse-attention", Family.DHSA),
    OUTPUT_PROJECTION("output-projection", Family.GEMMA2),
    RESIDUAL_ADD("residual-add", Family.GEMMA2),
    FEED_FORWARD("feed-forward", Family.GEMMA2),
    LM_HEAD("lm-head", Family.GEMMA2);

    /// Which paper a stage comes from.
    public enum Family { GEMMA2, DHSA }

    private final String slug;
    private final Family family;

    Stage(String slug, Family family) {
        this.slug = slug;
        this.family = family;
    }

    public String slug() {
        return slug;
    }

    public Family family() {
        return family;
    }

    @Override
    public String toString() {
        return slug;
    }
}
