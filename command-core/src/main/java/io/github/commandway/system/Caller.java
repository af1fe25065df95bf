package io.github.commandway.system;

import io.github.commandway.dispatch.CommandContext;
import io.github.commandway.process.Mail;
import io.github.commandway.process.Message;
import io.github.commandway.process.Pid;
import io.github.commandway.process.ProcessContext;
import org.jspecify.annotations.Nullable;

/** The process that a command is executed for, and the way to send it messages after that command has ended. */
record Caller(Pid pid, Mail mail) {

    /** The process, or null if the command comes from elsewhere. */
    static @Nullable Caller of(CommandContext context) {
        return context instanceof ProcessContext process ? new Caller(process.pid(), process.mail()) : null;
    }

    /**
     * The process.
     *
     * @throws IllegalArgumentException if the command comes from elsewhere
     */
    static Caller required(CommandContext context) {
        Caller caller = of(context);
        if (caller == null) {
            throw new IllegalArgumentException("only a process can do this: there is nobody else to send messages to");
        }
        return caller;
    }

    /** Sends it a message from no process; false if it has ended or its mailbox is full. */
    boolean send(String topic, @Nullable Object payload) {
        return mail.send(pid, new Message(null, topic, payload));
    }
}
