package io.github.commandway.tool.api;

import io.github.commandway.exec.Containment;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandRequest;
import io.github.commandway.manager.RecordId;
import io.github.commandway.manager.Target;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Has tools and toolchains run, and reads what they leave. Safe for use by many threads. Methods that throw {@link IOException} read files, and so may block; the others do not.
 *
 * <p>A run is a command like any other one. Its type is {@code tool:<name>} or {@code toolchain:<name>}, wherever it runs.
 */
public interface ToolService {
    /** How the types of commands begin that run a tool; the tool's name follows. */
    String TOOL_TYPE = "tool:";
    /** How the types of commands begin that run a toolchain; its name follows. */
    String TOOLCHAIN_TYPE = "toolchain:";

    /** What the body of a request is written in. */
    enum BodyFormat {
        /** JSON (RFC 8259). */
        JSON,
        /** YAML 1.2. */
        YAML
    }

    /** Says whether a caller may have something run, before the caller is told whether it is there. */
    @FunctionalInterface
    interface Admission {
        /** Lets everybody have everything run. */
        Admission ALL = (target, type) -> {};

        /**
         * Throws if not.
         *
         * @param target where it would run
         * @param type the type that the command would have
         */
        void check(Target target, String type);
    }

    /**
     * The command that runs what a body asks for, with the longest timeout that it may have.
     *
     * @param body the request; may be empty if there is a toolchain
     * @param toolchain the name of the toolchain, if the body does not say it; or null
     * @param on where it runs: then nobody here knows what there is, and it is checked there; null for here
     * @param admission asked before anything is looked up; what it throws comes out of here
     * @throws ToolRequestException if the body is wrong, or it is not to run elsewhere and there is no such tool, or it does not take what it is given
     */
    CommandRequest.Builder commandFor(
            String body, BodyFormat format, @Nullable String toolchain, @Nullable Target on, Admission admission);

    /**
     * The command that runs a tool here for a request that has no body, which is for tools only that say so.
     *
     * @param version which one; empty for the newest
     * @throws ToolRequestException as above, and if the tool must not be run so
     */
    CommandRequest.Builder commandForGet(String tool, List<String> args, String version);

    /** All tools, each in all its versions, by name. */
    List<ToolInfo> listTools();

    /** All toolchains, by name. */
    List<ToolchainInfo> listToolchains();

    /** What cannot be used, and why: one line each. */
    List<String> listProblems();

    /**
     * Reads what a run has written, while it runs and afterwards, as long as it is kept here.
     *
     * @param position 0, or what an earlier part gave as its next
     * @param maxBytes about how much at once; at least one piece is read
     * @throws NoSuchFileException if the run is not known here, has not begun, or is not kept any more
     * @throws IllegalArgumentException if nothing begins at the position
     */
    RunOutput output(RecordId id, long position, int maxBytes) throws IOException;

    /** In which charset the events of a run are that have its output, as far as it is known; UTF-8 otherwise. What {@link #output} gives says so itself. */
    Charset encoding(CommandRecord run);

    /**
     * Lists the files in the folder of a run; at most 1,000. Links are left out.
     *
     * @throws NoSuchFileException if it is not here, has not begun, or is not kept any more
     */
    List<RunFile> files(RecordId id, boolean toolchain) throws IOException;

    /**
     * Finds a file that a run has made, if its folder was kept. While the run has not ended it may change the file to something else at any moment.
     *
     * @param path from the folder of the run; in a toolchain after the name of the step and a {@code /}
     * @throws NoSuchFileException if there is none
     * @throws IllegalArgumentException if the path leads out of the folder
     */
    Path file(RecordId id, boolean toolchain, String path) throws IOException;

    /** By what means the processes of tools are ended here; those in a sandbox always by a namespace. */
    Containment.Means processesEndedBy();

    /** Whether tools can be run in a sandbox here. */
    boolean hasSandbox();

    /** How many runs are under way. */
    int running();

    /** How many runs wait for their turn. */
    int waiting();
}
