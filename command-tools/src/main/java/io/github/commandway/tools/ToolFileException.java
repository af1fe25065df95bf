package io.github.commandway.tools;

import java.io.Serial;

/** A file of the catalogue is wrong at one place. */
final class ToolFileException extends Exception {
    @Serial
    private static final long serialVersionUID = 1L;

    private final int line;
    private final int column;

    /**
     * @param line from 1, or 0 for the whole file
     * @param column from 1, or 0 for the whole line
     */
    ToolFileException(int line, int column, String message) {
        super(message, null, false, false);
        this.line = line;
        this.column = column;
    }

    int line() {
        return line;
    }

    int column() {
        return column;
    }
}
