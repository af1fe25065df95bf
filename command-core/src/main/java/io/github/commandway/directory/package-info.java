/** Which agents there are, whatever transport they use. */
package io.github.commandway.directory;
