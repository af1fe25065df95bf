package io.github.commandway.outbox;

import java.time.Duration;

/**
 * What one relay has done since it was started, and what was left to do when it last looked.
 *
 * @param sent acknowledged deliveries that are recorded
 * @param failed tries that failed, those included after which the entry was tried again
 * @param parked entries that became dead letters
 * @param inFlight entries with the publishers at this moment
 * @param waiting entries of the whole outbox that were not sent, dead letters and what waits behind them included; counted up to 100,000
 * @param deadLetters dead letters of the whole outbox
 * @param lag how long the oldest of those that wait has been there; zero if there is none
 * @param partitions how many parts of the outbox this relay looks after
 */
public record OutboxStats(
        long sent,
        long failed,
        long parked,
        int inFlight,
        long waiting,
        long deadLetters,
        Duration lag,
        int partitions) {}
