package io.github.commandway.cli;

import java.io.IOException;
import java.io.Serial;
import org.jspecify.annotations.Nullable;

/** The server answered that it cannot do what was asked for, or was not reached. The message is for the user. */
final class ApiException extends IOException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final ExitCode exitCode;

    ApiException(ExitCode exitCode, String message, @Nullable Throwable cause) {
        super(message, cause);
        this.exitCode = exitCode;
    }

    ExitCode exitCode() {
        return exitCode;
    }
}
