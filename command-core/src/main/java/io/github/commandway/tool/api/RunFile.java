package io.github.commandway.tool.api;

/**
 * A file in the folder of a run.
 *
 * @param path from the folder, with {@code /}
 * @param size in bytes
 */
public record RunFile(String path, long size) {}
