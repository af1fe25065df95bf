package io.github.commandway.cli;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.encoder.JsonEncoder;
import ch.qos.logback.classic.encoder.PatternLayoutEncoder;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.Appender;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.encoder.Encoder;
import ch.qos.logback.core.rolling.FixedWindowRollingPolicy;
import ch.qos.logback.core.rolling.RollingFileAppender;
import ch.qos.logback.core.rolling.SizeBasedTriggeringPolicy;
import ch.qos.logback.core.util.FileSize;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Sets up the log, which goes to the standard error stream: ours at the level that is set, that of libraries from warn on. */
final class Logs {
    /** Under this name the lines of a run of a tool have its id. */
    static final String RUN = "run";

    private static final String TEXT =
            "%-5level %logger{0} - %replace([run %X{" + RUN + "}] ){'^\\[run \\] $', ''}%msg%n";
    private static final String SHOWN = "%d{HH:mm:ss.SSS} " + TEXT;
    private static final String KEPT = "%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX} " + TEXT;
    private static final String FILE_SIZE = "10MB";
    private static final int FILES = 10;

    private Logs() {}

    /**
     * Sets it up.
     *
     * @param folder in which the program was started
     * @param defaultLevel where the settings have none
     * @throws UsageException if the file that is set cannot be written
     */
    static void configure(Settings settings, Path folder, String defaultLevel) {
        LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
        Optional<Path> file = settings.given(Setting.LOG_FILE).map(folder::resolve);
        file.ifPresent(Logs::checkWritable);
        context.reset();
        boolean isJson = settings.text(Setting.LOG_FORMAT).equals("json");
        Level level = Level.toLevel(settings.given(Setting.LOG_LEVEL).orElse(defaultLevel));
        ch.qos.logback.classic.Logger root = context.getLogger(Logger.ROOT_LOGGER_NAME);
        root.addAppender(toStandardError(context, isJson ? json(context) : text(context, SHOWN)));
        file.ifPresent(path -> root.addAppender(toFile(context, path, isJson ? json(context) : text(context, KEPT))));
        root.setLevel(level.isGreaterOrEqual(Level.WARN) ? level : Level.WARN);
        context.getLogger("io.github.commandway").setLevel(level);
    }

    private static void checkWritable(Path file) {
        try {
            Path parent = file.toAbsolutePath().getParent();
            if (parent != null) {
                Files.createDirectories(parent);
            }
            Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND)
                    .close();
        } catch (IOException e) {
            throw new UsageException(Setting.LOG_FILE.key() + ": " + file + " cannot be written: " + e.getMessage(), e);
        }
    }

    private static Appender<ILoggingEvent> toStandardError(LoggerContext context, Encoder<ILoggingEvent> encoder) {
        ConsoleAppender<ILoggingEvent> appender = new ConsoleAppender<>();
        appender.setContext(context);
        appender.setName("stderr");
        appender.setTarget("System.err");
        appender.setEncoder(encoder);
        appender.start();
        return appender;
    }

    private static Appender<ILoggingEvent> toFile(LoggerContext context, Path file, Encoder<ILoggingEvent> encoder) {
        RollingFileAppender<ILoggingEvent> appender = new RollingFileAppender<>();
        appender.setContext(context);
        appender.setName("file");
        appender.setFile(file.toString());
        appender.setEncoder(encoder);
        FixedWindowRollingPolicy names = new FixedWindowRollingPolicy();
        names.setContext(context);
        names.setParent(appender);
        names.setFileNamePattern(file + ".%i");
        names.setMaxIndex(FILES - 1);
        names.start();
        SizeBasedTriggeringPolicy<ILoggingEvent> size = new SizeBasedTriggeringPolicy<>();
        size.setContext(context);
        size.setMaxFileSize(FileSize.valueOf(FILE_SIZE));
        size.start();
        appender.setRollingPolicy(names);
        appender.setTriggeringPolicy(size);
        appender.start();
        return appender;
    }

    private static Encoder<ILoggingEvent> text(LoggerContext context, String pattern) {
        PatternLayoutEncoder encoder = new PatternLayoutEncoder();
        encoder.setContext(context);
        encoder.setPattern(pattern);
        encoder.start();
        return encoder;
    }

    private static Encoder<ILoggingEvent> json(LoggerContext context) {
        JsonEncoder encoder = new JsonEncoder();
        encoder.setContext(context);
        // the finished text instead of its template, which few log collectors can fill in
        encoder.setWithFormattedMessage(true);
        encoder.setWithMessage(false);
        encoder.setWithArguments(false);
        encoder.setWithContext(false);
        encoder.start();
        return encoder;
    }
}
