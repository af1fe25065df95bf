package io.github.commandway.tools;

/**
 * Something about an installed tool that is not as it was installed.
 *
 * @param tool its name
 * @param version its version
 * @param path of the file in the version's folder
 * @param what how it differs
 */
public record ToolChange(String tool, String version, String path, What what) {
    /** How a file differs. */
    public enum What {
        /** It has other content, or may be executed or not as it should be. */
        CHANGED,
        /** It is not there. */
        MISSING,
        /** It should not be there. */
        ADDED
    }
}
