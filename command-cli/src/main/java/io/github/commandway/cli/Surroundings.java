package io.github.commandway.cli;

import java.io.InputStream;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Map;

/**
 * What a run of the program takes from its process.
 *
 * @param variables the environment variables
 * @param folder in which it was started; relative paths begin there
 * @param in its standard input
 * @param out for results
 * @param err for everything else
 * @param lifetime how long it is to run
 */
record Surroundings(
        Map<String, String> variables,
        Path folder,
        InputStream in,
        PrintWriter out,
        PrintWriter err,
        Lifetime lifetime) {}
