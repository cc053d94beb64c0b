package org.dhsa.demo;

import java.util.Arrays;

/// The same run on another backend, beside the one that the report is about.
///
/// @param run     title of the run
/// @param backend the other backend
/// @param same    both said the same, token by token
/// @param logits  largest difference of the logits after the last prompt token
/// @param seconds of the other backend
/// @param ours    seconds of the backend that the report is about
public record BackendTwin(String run, String backend, boolean same, double logits, double seconds, double ours) {

    public static BackendTwin of(AttentionRun ours, AttentionRun other, String backend) {
        return new BackendTwin(ours.title(), backend, Arrays.equals(ours.result().ids(), other.result().ids()),
                ours.logitDifference(other), other.seconds(), ours.seconds());
    }
}
