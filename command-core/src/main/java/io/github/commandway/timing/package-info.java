/** Deadlines of many things at once. */
package io.github.commandway.timing;
