package org.dhsa.bug;

import java.util.List;
import java.util.Locale;

/// The mutation matrix for people.
///
/// @param cases how many vectors were run
public record MutationReport(int cases, List<MutationRun.Outcome> outcomes) {

    public MutationReport {
        outcomes = List.copyOf(outcomes);
    }

    public long killed() {
        return outcomes.stream().filter(MutationRun.Outcome::killed).count();
    }

    public long equivalent() {
        return outcomes.stream().filter(o -> !o.killed() && Equivalent.proof(o.mutant().id()).isPresent()).count();
    }

    /// Not killed and not proven equivalent.
    public List<MutationRun.Outcome> survivors() {
        return outcomes.stream().filter(o -> !o.killed() && Equivalent.proof(o.mutant().id()).isEmpty()).toList();
    }

    /// Known bugs that were killed and not called by their name, or by another one.
    public List<MutationRun.Outcome> misnamed() {
        return outcomes.stream().filter(o -> o.mutant().bug().isPresent() && o.killed() && !o.diagnosed()).toList();
    }

    public boolean good() {
        return survivors().isEmpty() && misnamed().isEmpty();
    }

    private long known() {
        return outcomes.stream().filter(o -> o.mutant().bug().isPresent()).count();
    }

    public String text() {
        StringBuilder text = new StringBuilder(String.format(Locale.ROOT, "%-62s %9s %6s %6s %8s  %s%n", "mutant", "killed by", "named", "among", "unknown", "first case"));
        for (MutationRun.Outcome o : outcomes) {
            text.append(String.format(Locale.ROOT, "%-62s %9s %6s %6s %8d  %s%n", o.mutant().id(), verdict(o), o.mutant().bug().isPresent() ? o.named().size() : "-",
                    o.mutant().bug().isPresent() ? o.amongSome().size() : "-", o.unknown().size(), o.killed() ? o.killedBy().getFirst() : ""));
        }
        text.append(System.lineSeparator()).append(summary()).append(System.lineSeparator());
        survivors().forEach(o -> text.append("survives: ").append(o.mutant().id()).append(": ").append(o.mutant().what()).append(System.lineSeparator()));
        misnamed().forEach(o -> text.append("not named: ").append(o.mutant().id()).append(o.misnamed().isEmpty() ? "" : ", called " + o.misnamed()).append(System.lineSeparator()));
        return text.toString();
    }

    private static String verdict(MutationRun.Outcome o) {
        return o.killed() ? String.valueOf(o.killedBy().size()) : Equivalent.proof(o.mutant().id()).isPresent() ? "equal" : "NONE";
    }

    private String summary() {
        return cases + " cases, " + outcomes.size() + " mutants: " + killed() + " killed, " + equivalent() + " equivalent, " + survivors().size() + " survive. Of "
                + known() + " forms of known bugs " + outcomes.stream().filter(o -> o.mutant().bug().isPresent() && !o.named().isEmpty() && o.misnamed().isEmpty()).count()
                + " are named alone by some case, " + outcomes.stream().filter(o -> o.mutant().bug().isPresent() && o.named().isEmpty() && o.diagnosed()).count()
                + " only among others, " + misnamed().size() + " not. "
                + outcomes.stream().filter(o -> o.mutant().bug().isEmpty() && !o.misnamed().isEmpty()).count() + " of the " + (outcomes.size() - known())
                + " systematic mutants are called by a known bug's name in some case.";
    }

    /// Two tables for `docs/mutation.md`: known bugs, systematic mutants.
    public String markdown() {
        StringBuilder text = new StringBuilder(summary()).append("\n\n| known bug, form | killed by | named alone | among several | unknown | first case |\n|---|---|---|---|---|---|\n");
        for (MutationRun.Outcome o : outcomes) {
            if (o.mutant().bug().isPresent()) {
                String id = o.mutant().bug().get().id();
                text.append("| [").append(id).append("](bugs.md#").append(id).append(")").append(o.mutant().id().substring(id.length())).append(" | ").append(verdict(o)).append(" | ")
                        .append(o.named().size()).append(" | ").append(o.amongSome().size()).append(" | ").append(o.unknown().size()).append(" | ").append(first(o)).append(" |\n");
            }
        }
        text.append("\n| systematic mutant | what | killed by | first case |\n|---|---|---|---|\n");
        for (MutationRun.Outcome o : outcomes) {
            if (o.mutant().bug().isEmpty()) {
                text.append("| ").append(o.mutant().id()).append(" | ").append(o.mutant().what()).append(" | ").append(verdict(o)).append(" | ")
                        .append(first(o)).append(" |\n");
            }
        }
        return text.toString();
    }

    private static String first(MutationRun.Outcome o) {
        return o.killed() ? "`" + o.killedBy().getFirst() + "`" : Equivalent.proof(o.mutant().id()).orElse("");
    }
}
