/** The command line: server, agent and client. Here everything is put together from settings. */
@NullMarked
package io.github.commandway.cli;

import org.jspecify.annotations.NullMarked;
