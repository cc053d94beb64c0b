package org.dhsa.reference.baseline;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;

/// Which positions a cascading cache holds: sinks, and sub-caches of which each takes in fewer tokens than the one before.
///
///     sub-cache i takes every 2^i-th token that reaches it; the oldest it pushes out goes on to sub-cache i + 1
///     at the other tokens what reaches it competes with its newest: the one with the higher score stays, the other is lost
///     score(j) ← β · score(j) + (1 − β) · weight(j)         for every key of a row, after each row
///
/// **Source** Cascading KV Cache (arXiv 2406.17808), and the authors' code for what decides: time counts tokens after the sinks; equal scores go to the newer.
/// **Reading** until every sub-cache is full nothing competes, so a cache that is large enough is a cache of everything. In the code the first token after that still moves
/// on in every sub-cache, whatever its time; the two differ by one token if the sub-caches' sizes together are no multiple of 2^(sub-caches − 1).
/// **Pitfall** the newest sub-cache takes every token (2^0), so it is a sliding window.
public final class CascadingCache {

    private final int sinks;
    private final int[] capacities;
    private final List<ArrayDeque<Integer>> subCaches = new ArrayList<>();
    private final double beta;
    private double[] scores = new double[16];
    private int next;

    /// @param capacity  keys held, sinks included
    /// @param sinks     first tokens, held for ever
    /// @param cascades  sub-caches, of equal size up to one
    /// @param beta      how slowly scores change, in [0, 1)
    public CascadingCache(int capacity, int sinks, int cascades, double beta) {
        if (sinks < 0 || cascades <= 0 || capacity < sinks + cascades) {
            throw new IllegalArgumentException("capacity must hold the sinks and one key per sub-cache, were capacity " + capacity + ", sinks " + sinks
                    + ", cascades " + cascades);
        }
        this.sinks = sinks;
        this.beta = beta;
        int rest = capacity - sinks;
        this.capacities = IntStream.range(0, cascades).map(i -> rest / cascades + (i < rest % cascades ? 1 : 0)).toArray();
        Arrays.stream(capacities).forEach(c -> subCaches.add(new ArrayDeque<>()));
    }

    /// Positions held, ascending.
    public int[] positions() {
        return IntStream.concat(IntStream.range(0, Math.min(sinks, next)), subCaches.stream().flatMap(ArrayDeque::stream).mapToInt(p -> p)).sorted().toArray();
    }

    /// A row has looked at these keys.
    ///
    /// @param weight of a position
    public void look(int[] positions, IntToDoubleFunction weight) {
        for (int j : positions) {
            if (j >= scores.length) {
                scores = Arrays.copyOf(scores, 2 * j);
            }
            scores[j] = beta * scores[j] + (1 - beta) * weight.applyAsDouble(j);
        }
    }

    /// The next token is taken in.
    public void add() {
        int token = next++;
        if (token < sinks) {
            return;
        }
        if (token >= scores.length) {
            scores = Arrays.copyOf(scores, 2 * token);
        }
        boolean filling = IntStream.range(0, capacities.length).anyMatch(i -> subCaches.get(i).size() < capacities[i]);
        int moving = token;
        for (int i = 0; i < capacities.length; i++) {
            ArrayDeque<Integer> cache = subCaches.get(i);
            boolean takes = filling || (long) (token - sinks) % (1L << i) == 0;
            if (!takes) {
                if (scores[moving] >= scores[cache.peekLast()]) {
                    cache.pollLast();
                    cache.addLast(moving);
                }
                return;
            }
            cache.addLast(moving);
            if (cache.size() <= capacities[i]) {
                return;
            }
            moving = cache.pollFirst();
        }
    }
}
