/** Small host applications, each one file, with a main method. */
@NullMarked
package io.github.commandway.examples;

import org.jspecify.annotations.NullMarked;
