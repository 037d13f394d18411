import { expect, test } from 'vitest';
import { CalculatorRegistry } from './calculator-registry.ts';
import { defineCalculator } from './calculator.ts';
import { parseGraphConfig } from './parse-graph-config.ts';
import { meanings } from './qualified-names.ts';
import { validateGraph } from './validate-graph.ts';

test.each([
  ['Foo', '', ['Foo']],
  ['Foo', 'a.b', ['a.b.Foo', 'a.Foo', 'Foo']],
  ['c.Foo', 'a', ['a.c.Foo', 'c.Foo']],
  ['a::b::Foo', '', ['a.b.Foo']],
  ['.Foo', 'a.b', ['Foo']],
])('"%s" in package "%s"', (name, packageName, expected) => {
  expect(meanings(name, packageName)).toEqual(expected);
});

const named = (name: string) => defineCalculator({ name, open: () => undefined });
const registry = new CalculatorRegistry(['Foo', 'a.Foo', 'a::b::Foo', 'Bar'].map(named));

test.each([
  ['a.b', 'Foo', 'a::b::Foo'],
  ['a', 'b.Foo', 'a::b::Foo'],
  ['a.c', 'Foo', 'a.Foo'],
  ['a.b', '.Foo', 'Foo'],
  ['', 'a.b.Foo', 'a::b::Foo'],
  ['z', 'Bar', 'Bar'],
])('in package "%s" the calculator "%s" is %s; the node keeps its name', (packageName, calculator, expected) => {
  const graph = validateGraph(
    parseGraphConfig(`package: "${packageName}" node { calculator: "${calculator}" }`),
    registry,
  );
  expect(graph.nodes.map(({ definition, name }) => [definition.name, name])).toEqual([[expected, calculator]]);
});

test.each(['b.Foo', '::a::Foo', 'a.Bar'])('without a package "%s" is unknown', (calculator) => {
  expect(() => validateGraph(parseGraphConfig(`node { calculator: "${calculator}" }`), registry)).toThrow(
    `no calculator is named "${calculator}"`,
  );
});

test('subgraphs and what is in them are looked up in the package of the outermost graph', () => {
  const subgraph = parseGraphConfig('type: "a.Sub" package: "z" node { calculator: "Foo" }');
  const { nodes } = validateGraph(
    parseGraphConfig('package: "a.b" node { calculator: "Sub" }'),
    registry.withSubgraph(subgraph),
  );
  expect(nodes.map(({ definition, name }) => [definition.name, name])).toEqual([['a::b::Foo', 'sub__Foo']]);
});

test('status handlers too', () => {
  const handlers = [
    { name: 'a.Note', options: undefined, inputSidePackets: {}, beforeRun: undefined, afterRun: undefined },
  ];
  const known = new CalculatorRegistry([], handlers as never);
  const text = 'status_handler { status_handler: "Note" }';
  expect(known.statusHandler('Note', 'a.b')?.name).toBe('a.Note');
  expect(() => validateGraph(parseGraphConfig(text), known)).toThrow(/no status handler has this name/);
});

test('one name in two ways of writing is refused', () => {
  expect(() => new CalculatorRegistry(['a.Foo', 'a::Foo'].map(named))).toThrow(/two calculators or subgraphs/);
});
