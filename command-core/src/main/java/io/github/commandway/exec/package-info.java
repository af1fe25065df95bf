/** Programs as child processes, and their end with all that came from them. */
package io.github.commandway.exec;
