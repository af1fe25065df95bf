package io.github.commandway.tools;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Map;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.json.JsonMapper;

/** Up to when each schedule has been looked after, in a file that is always whole. */
final class ScheduleMarks {
    private static final Logger LOG = LoggerFactory.getLogger(ScheduleMarks.class);
    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final TypeReference<TreeMap<String, Mark>> MARKS = new TypeReference<>() {};

    private final Path file;

    /**
     * One schedule.
     *
     * @param times what it said of its times
     * @param until all times up to this one are settled; as ISO 8601
     */
    record Mark(String times, String until) {
        Instant instant() {
            return Instant.parse(until);
        }
    }

    ScheduleMarks(Path file) {
        this.file = file;
    }

    /** What was saved last; nothing if there is no file, or what is in it is none of ours. */
    Map<String, Mark> load() throws IOException {
        if (!Files.exists(file)) {
            return Map.of();
        }
        try {
            Map<String, Mark> marks = JSON.readValue(Files.readAllBytes(file), MARKS);
            marks.values().forEach(Mark::instant);
            return marks;
        } catch (JacksonException | DateTimeException | NullPointerException e) {
            LOG.error(
                    "{} cannot be read, so that what schedules have missed is not known and not made up for: {}",
                    file,
                    e.toString());
            return Map.of();
        }
    }

    void save(Map<String, Mark> marks) throws IOException {
        Path parent = file.toAbsolutePath().getParent();
        if (parent != null) {
            Files.createDirectories(parent);
        }
        AtomicFiles.write(file, JSON.writeValueAsBytes(marks));
    }
}
