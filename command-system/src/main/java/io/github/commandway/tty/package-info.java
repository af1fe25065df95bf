/** The terminal that the program runs in, as commands. */
package io.github.commandway.tty;
