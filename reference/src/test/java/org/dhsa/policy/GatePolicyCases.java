package org.dhsa.policy;

import java.util.List;

/// Cases for [PolicyPropertiesTest].
final class GatePolicyCases {

    private GatePolicyCases() {}

    /// Policies that spend about `budget` keys per list on blocks of `block` rows. With a budget of the whole prompt each must be dense.
    static List<SelectionPolicy> all(int budget, int block) {
        return List.of();
    }
}
