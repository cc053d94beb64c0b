package org.dhsa.eval.policy;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// The one parameter by which a policy is made to read more or less: a budget of keys, or a share between 0 and 1.
///
/// Turned up, a policy reads more pairs or as many, with rare exceptions that its rule makes (a smaller block, another pattern of a head).
///
/// @param spec      everything else about the policy
/// @param parameter name of the share; empty for a budget of keys
/// @param falling   true when a smaller share reads more
/// @param steps     settings, from 1
public record PolicyKnob(String spec, String parameter, boolean falling, int steps) {

    private static final int SHARES = 1000;

    /// Policies whose parameter is a share; `-` before it where a smaller one reads more.
    private static final Map<String, String> SHARE = new LinkedHashMap<>(Map.of("oracle-topp", "mass"));

    /// @param length a budget of as many keys reads everything
    /// @return empty for a policy that has nothing to turn
    public static Optional<PolicyKnob> of(String spec, int length) {
        String name = PolicySpec.parse(spec).name();
        String share = SHARE.get(name);
        if (share != null) {
            return Optional.of(new PolicyKnob(spec, share.replaceFirst("^-", ""), share.startsWith("-"), SHARES));
        }
        PolicyKnob budget = new PolicyKnob(spec, "", false, length);
        return budget.at(1).equals(budget.at(length)) ? Optional.empty() : Optional.of(budget);
    }

    /// The policy at a setting.
    ///
    /// @param step from 1 to [#steps()], more reads more
    public String at(int step) {
        if (parameter.isEmpty()) {
            return PolicyRegistry.withBudget(spec, step);
        }
        int of = falling ? steps - step : step;
        return PolicySpec.parse(spec).with(parameter, String.format(Locale.ROOT, "%.3f", (double) of / steps)).toString();
    }
}
