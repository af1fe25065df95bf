package io.github.commandway.tools;

import java.util.Locale;

/** How far a tool is kept away from the machine it runs on. Every run has a folder of its own, an empty environment but for what is declared, and its processes end with it. */
public enum Isolation {
    /** As the server's user, with all the files and the network that it may use. Parameters that are paths may lead anywhere. */
    NONE,
    /** The same, but parameters that are paths stay inside the folder of the run, and that is also its home and its place for temporary files. */
    FOLDER,
    /**
     * In a sandbox: a read-only system, the run's folder and nothing else of the disk, no network, no privileges, unless the tool declares more. Needs bubblewrap; without it the tool is
     * refused.
     */
    SANDBOX,
    /**
     * In this process, as WebAssembly: the run's folder and, read-only, the tool's own are all that it sees. What tools have whose file says {@code wasm}, and no others.
     */
    WASM;

    private final String code = name().toLowerCase(Locale.ROOT);

    /** The name in {@code tool.yaml} and in results, such as {@code sandbox}. */
    public String code() {
        return code;
    }
}
