package io.github.commandway.tools;

/**
 * Something in the catalogue that cannot be used, while the rest can.
 *
 * @param path the file or folder, from the catalogue's folder
 * @param line in the file, from 1, or 0 if it is not one line
 * @param column in the line, from 1, or 0
 * @param message what is wrong and what would be right
 */
public record CatalogProblem(String path, int line, int column, String message) {
    @Override
    public String toString() {
        String place = line == 0 ? "" : ", line " + line + (column == 0 ? "" : ", column " + column);
        return path + place + ": " + message;
    }
}
