package io.github.commandway.process;

/** Delivers messages to processes. Safe for use by many threads; never blocks. */
@FunctionalInterface
public interface Mail {

    /**
     * Puts a message into the mailbox of a process. Messages of one sender arrive in the order in which it sent them.
     *
     * @return false if there is no such process (any more), or its mailbox is full; the message is then not delivered
     */
    boolean send(Pid to, Message message);
}
