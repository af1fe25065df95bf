package io.github.commandway.cli;

import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;

/**
 * What a run of the program takes from its process.
 *
 * @param variables the environment variables
 * @param folder in which it was started; relative paths begin there
 * @param in its standard input
 * @param output where {@code out} leads, for bytes that are not ours
 * @param errors where {@code err} leads, for bytes that are not ours
 * @param out for results
 * @param err for everything else
 * @param isWatched whether somebody sees {@code err} at once, on a terminal
 * @param lifetime how long it is to run
 */
record Surroundings(
        Map<String, String> variables,
        Path folder,
        InputStream in,
        OutputStream output,
        OutputStream errors,
        PrintWriter out,
        PrintWriter err,
        boolean isWatched,
        Lifetime lifetime) {
    /** With writers in UTF-8 to the two streams, which pass each line on at once. */
    Surroundings(
            Map<String, String> variables,
            Path folder,
            InputStream in,
            OutputStream output,
            OutputStream errors,
            boolean isWatched,
            Lifetime lifetime) {
        this(
                variables,
                folder,
                in,
                output,
                errors,
                new PrintWriter(output, true, StandardCharsets.UTF_8),
                new PrintWriter(errors, true, StandardCharsets.UTF_8),
                isWatched,
                lifetime);
    }
}
