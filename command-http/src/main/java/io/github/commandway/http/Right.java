package io.github.commandway.http;

import java.util.Locale;

/** One of the things that a caller may or may not do; {@link Rights} says which, and of what. */
enum Right {
    /** See commands: what was asked for, their states and histories, lists of them. */
    VIEW,
    /** Have commands executed. */
    RUN,
    /** See what commands returned and wrote: results, output, events, files. */
    OUTPUT,
    /** Cancel commands. */
    CANCEL,
    /** Steer queues, send messages to agents, and deal with what could not be delivered. */
    MANAGE;

    /** The name in settings, problems and the OpenAPI document. */
    String code() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** Whether it is about commands that are there already, so that it can be had for one's own only. */
    boolean isOfRecords() {
        return this == VIEW || this == OUTPUT || this == CANCEL;
    }
}
