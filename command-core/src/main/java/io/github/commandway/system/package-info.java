/**
 * The built-in handlers that need only the JDK, one service for each range of command ids, and what a service is made of:
 * {@link io.github.commandway.system.Workers} for work that blocks and {@link io.github.commandway.system.Handles} for what is kept open between two commands.
 */
package io.github.commandway.system;
