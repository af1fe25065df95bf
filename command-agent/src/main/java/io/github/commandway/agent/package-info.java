/** The agent: a process that holds a connection to a server and executes commands. */
package io.github.commandway.agent;
