package io.github.commandway.manager;

import java.util.ArrayList;
import java.util.List;
import org.agrona.collections.Long2ObjectHashMap;
import org.jspecify.annotations.Nullable;

/** The open commands by tag. Striped, so that threads rarely meet, and open-addressed, so that a steady state allocates nothing. */
final class PromiseTable {
    private static final int STRIPES = 16;

    private final List<Long2ObjectHashMap<LiveCommand>> stripes = new ArrayList<>(STRIPES);

    PromiseTable() {
        for (int i = 0; i < STRIPES; i++) {
            stripes.add(new Long2ObjectHashMap<>());
        }
    }

    void put(LiveCommand command) {
        Long2ObjectHashMap<LiveCommand> stripe = stripeOf(command.tag);
        synchronized (stripe) {
            stripe.put(command.tag, command);
        }
    }

    @Nullable LiveCommand get(long tag) {
        Long2ObjectHashMap<LiveCommand> stripe = stripeOf(tag);
        synchronized (stripe) {
            return stripe.get(tag);
        }
    }

    void remove(long tag) {
        Long2ObjectHashMap<LiveCommand> stripe = stripeOf(tag);
        synchronized (stripe) {
            stripe.remove(tag);
        }
    }

    List<LiveCommand> snapshot() {
        List<LiveCommand> all = new ArrayList<>();
        for (Long2ObjectHashMap<LiveCommand> stripe : stripes) {
            synchronized (stripe) {
                all.addAll(stripe.values());
            }
        }
        return all;
    }

    private Long2ObjectHashMap<LiveCommand> stripeOf(long tag) {
        // the upper bits of the product: the lower ones choose the slot within the stripe
        return stripes.get((int) ((tag * 0x9E3779B97F4A7C15L) >>> 60));
    }
}
