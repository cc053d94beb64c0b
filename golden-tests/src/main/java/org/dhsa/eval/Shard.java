package org.dhsa.eval;

import org.dhsa.cli.BadInput;

/// Part `index` of `count` of the work: units whose number leaves the remainder `index`.
public record Shard(int index, int count) {

    public static final Shard ALL = new Shard(0, 1);

    /// @param text `i/n`, i from 0
    public static Shard parse(String text) {
        String[] parts = text.split("/", -1);
        try {
            int index = Integer.parseInt(parts[0].strip());
            int count = Integer.parseInt(parts[1].strip());
            if (parts.length == 2 && count > 0 && index >= 0 && index < count) {
                return new Shard(index, count);
            }
            throw new BadInput("--shard: there is no shard " + index + " of " + count + ". Shards are counted from 0: "
                    + (count > 0 ? "0/" + count + " to " + (count - 1) + "/" + count : "0/4 to 3/4, for example") + ".");
        } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
            throw new BadInput("--shard is i/n, for example 0/4 for the first of four, was \"" + text + "\".", e);
        }
    }

    public boolean has(int unit) {
        return unit % count == index;
    }

    @Override
    public String toString() {
        return index + "/" + count;
    }
}
