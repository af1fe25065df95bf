/** The manager that accepts commands, records them, has them executed and knows what became of each. */
package io.github.commandway.manager;
