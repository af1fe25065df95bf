/** Commands that come with the agent: status, shell, files, processes, services, configuration, network. */
package io.github.commandway.agent.command;
