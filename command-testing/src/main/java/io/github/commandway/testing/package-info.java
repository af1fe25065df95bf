/** What tests of Commandway, and of what is built with it, need: time that stands still, contracts for stores, faults on demand. */
package io.github.commandway.testing;
