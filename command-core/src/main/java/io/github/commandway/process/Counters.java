package io.github.commandway.process;

import java.util.concurrent.atomic.LongAdder;

/** What {@link ProcessStats} tells of. */
final class Counters {
    final LongAdder spawned = new LongAdder();
    final LongAdder done = new LongAdder();
    final LongAdder failed = new LongAdder();
    final LongAdder refused = new LongAdder();
    final LongAdder expired = new LongAdder();
    final LongAdder abandoned = new LongAdder();
    final LongAdder late = new LongAdder();
    final LongAdder repeated = new LongAdder();
    final LongAdder messagesRefused = new LongAdder();
    final LongAdder messagesLost = new LongAdder();
}
