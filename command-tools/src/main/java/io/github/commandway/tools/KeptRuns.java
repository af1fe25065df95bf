package io.github.commandway.tools;

import io.github.commandway.manager.RecordId;
import io.github.commandway.tool.api.RunFile;
import io.github.commandway.tool.api.RunOutput;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What runs have left in their folders, as long as that is kept. Thread-safe. */
final class KeptRuns {
    /** The only step of a run that is no toolchain. */
    static final String MAIN_STEP = "main";

    private static final Logger LOG = LoggerFactory.getLogger(KeptRuns.class);

    private final Path runs;
    private final int keepRuns;
    private final Duration keepFor;
    private final Clock clock;

    KeptRuns(Path runs, int keepRuns, Duration keepFor, Clock clock) {
        this.runs = runs;
        this.keepRuns = keepRuns;
        this.keepFor = keepFor;
        this.clock = clock;
    }

    RunOutput output(RecordId id, long position, int maxBytes) throws IOException {
        return OutputFile.read(RunFolder.of(runs, id.toString()).output(), position, Math.max(1, maxBytes));
    }

    List<RunFile> files(RecordId id, boolean toolchain) throws IOException {
        return WorkTree.files(work(id, toolchain));
    }

    Path file(RecordId id, boolean toolchain, String path) throws IOException {
        Path file = RunFolder.inside(work(id, toolchain), path);
        if (!Files.isRegularFile(file)) {
            throw new NoSuchFileException(path);
        }
        return file;
    }

    private Path work(RecordId id, boolean toolchain) throws NoSuchFileException {
        Path work = RunFolder.of(runs, id.toString()).work(toolchain ? "" : MAIN_STEP);
        if (!Files.isDirectory(work)) {
            throw new NoSuchFileException(id.toString());
        }
        return work;
    }

    /**
     * Deletes the folders of runs that ended long ago, and the oldest of too many.
     *
     * @param busy ids of those that have not ended
     */
    void purge(Set<String> busy) {
        try {
            if (!Files.isDirectory(runs)) {
                return;
            }
            List<Path> ended = new ArrayList<>();
            try (DirectoryStream<Path> folders = Files.newDirectoryStream(runs)) {
                for (Path folder : folders) {
                    if (!busy.contains(String.valueOf(folder.getFileName()))) {
                        ended.add(folder);
                    }
                }
            }
            ended.sort(Comparator.comparing(KeptRuns::lastChange));
            Instant oldest = clock.instant().minus(keepFor);
            for (int i = 0; i < ended.size(); i++) {
                if (ended.size() - i > keepRuns || lastChange(ended.get(i)).isBefore(oldest)) {
                    delete(ended.get(i));
                }
            }
        } catch (IOException | RuntimeException e) {
            LOG.warn("the folders of old runs could not be deleted and are looked at again: {}", e.toString());
        }
    }

    /** That one cannot be deleted does not keep the others. */
    private static void delete(Path folder) {
        try {
            WorkTree.delete(folder);
        } catch (IOException | RuntimeException e) {
            LOG.warn("the folder {} of an old run could not be deleted and stays for now: {}", folder, e.toString());
        }
    }

    private static Instant lastChange(Path path) {
        try {
            return Files.getLastModifiedTime(path).toInstant();
        } catch (IOException e) {
            // gone meanwhile
            return Instant.EPOCH;
        }
    }
}
