/** Command-line tools in versions, and chains of them: a catalogue of files, and the handler that runs what is in it. */
package io.github.commandway.tools;
