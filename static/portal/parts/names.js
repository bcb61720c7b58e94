// Names in a list from which one is chosen.
/** @param {{ itemId: string, description: string, licenseId: string }} item */
export const itemName = (item) => `${item.itemId} · ${item.description || item.licenseId}`;

// The name of each thing, with its number if others in the list have the same name.
/**
 * @template {{ id: number }} T
 * @param {T[]} things
 * @param {(one: T) => string} nameOf
 * @returns {(one: T) => string}
 */
export function namer(things, nameOf) {
  const names = things.map(nameOf);
  return (one) => {
    const name = nameOf(one);
    return names.indexOf(name) === names.lastIndexOf(name) ? name : `${name} (#${one.id})`;
  };
}
