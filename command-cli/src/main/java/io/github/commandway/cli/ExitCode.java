package io.github.commandway.cli;

/** The exit codes of the program. */
enum ExitCode {
    OK(0, "the command completed; where no outcome was asked for, what was asked for was done"),
    FAILED(1, "the command failed, or the program did"),
    USAGE(2, "the arguments or the configuration are wrong; nothing was done"),
    TIMEOUT(3, "the command's time was over"),
    CANCELLED(4, "the command was cancelled"),
    REFUSED(5, "the server refused: no such agent or command, no credentials, no room, a token that is not valid"),
    UNREACHABLE(6, "the server was not reached"),
    STILL_OPEN(7, "the command had not ended yet");

    private final int code;
    private final String meaning;

    ExitCode(int code, String meaning) {
        this.code = code;
        this.meaning = meaning;
    }

    int code() {
        return code;
    }

    String meaning() {
        return meaning;
    }

    /** The exit code of having cancelled something that has ended like this. */
    ExitCode ofCancelling() {
        return switch (this) {
            case CANCELLED -> OK;
            case STILL_OPEN -> STILL_OPEN;
            default -> FAILED;
        };
    }

    /** The exit code for the outcome of a command, by its status in JSON. */
    static ExitCode ofStatus(String status) {
        return switch (status) {
            case "completed" -> OK;
            case "timeout" -> TIMEOUT;
            case "cancelled" -> CANCELLED;
            case "pending", "executing" -> STILL_OPEN;
            default -> FAILED;
        };
    }
}
