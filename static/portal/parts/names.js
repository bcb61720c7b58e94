// Names in a list from which one is chosen.
export const itemName = (item) => `${item.itemId} · ${item.description || item.licenseId}`;

// The name of each thing, with its number beside it where others in the list are called so too.
export function namer(things, nameOf) {
  const names = things.map(nameOf);
  return (one) => {
    const name = nameOf(one);
    return names.indexOf(name) === names.lastIndexOf(name) ? name : `${name} (#${one.id})`;
  };
}
