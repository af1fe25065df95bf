package io.github.commandway.dispatch;

/**
 * The ranges of command ids. 0 to 255 belong to the system and are divided below; 256 and above belong to applications.
 *
 * <p>process 1-9, clock 10-29, socket 30-39, stream 50-59, http 60-69, tty 70-79, websocket 80-89, event 90-99, sql 100-119,
 * store 120-129, security 130-139, function 140-149, exec 150-159, cloudstorage 160-169, eval 170-179, workflow 180-189,
 * contract 190-199, process groups 200-211, targets 220-229; the rest of the system range is free.
 */
public final class CommandIds {
    /** The number of ids that belong to the system, and the first id of applications. */
    public static final int FIRST_APPLICATION_ID = 256;

    /** The largest id: 16 bits on the wire. */
    public static final int MAX_ID = 0xFFFF;

    /** Executes a typed command on the agent that is its target. */
    public static final int AGENT_EXECUTE = 220;

    /** Puts a typed command into the serial queue that is its target. */
    public static final int QUEUE_EXECUTE = 221;

    /** Runs the command-line tool that is its target. */
    public static final int TOOL_EXECUTE = 222;

    /** Executes a typed command on one member of the group that is its target. */
    public static final int GROUP_EXECUTE = 223;

    /** Hands over a recorded command and waits for its end. */
    public static final int SUBMIT = 224;

    private CommandIds() {}
}
