import { expect, test } from 'vitest';
import { ExecutionResources } from './execution-resources.ts';

function asked(limits?: Readonly<Record<string, number>>) {
  const resources = new ExecutionResources(limits && new Map(Object.entries(limits)));
  const running: string[] = [];
  const releases = new Map<string, () => void>();
  const ask = (run: string, needs: Readonly<Record<string, number>>, priority = 0, instance = run) =>
    resources.acquire(
      instance,
      { priority, resources: Object.entries(needs).map(([name, count]) => ({ name, count })) },
      (release) => {
        running.push(run);
        releases.set(run, () => {
          if (running.includes(run)) running.splice(running.indexOf(run), 1);
          release();
        });
      },
    );
  return { ask, running, end: (run: string) => releases.get(run)?.() };
}

test('runs that need a resource wait until enough of it is free', () => {
  const { ask, running, end } = asked({ R: 4 });
  ask('a', { R: 3 });
  ask('b', { R: 2 });
  ask('c', { other: 1 });
  expect(running).toEqual(['a']); // c does not overtake b
  end('a');
  expect(running).toEqual(['b', 'c']);
});

test('where nothing is said, there is as much as the greediest instance needs', () => {
  const { ask, running, end } = asked();
  ask('a', { R: 4 });
  ask('b', { R: 2 });
  ask('c', { R: 2 });
  expect(running).toEqual(['a']);
  end('a');
  expect(running).toEqual(['b', 'c']);
});

test('an instance of priority 2 gets half as many turns as one of priority 1', () => {
  const { ask, running, end } = asked({ R: 1 });
  const order: string[] = [];
  for (let i = 0; i < 20; i++) {
    ask(`first ${i}`, { R: 1 }, 1, 'first');
    ask(`second ${i}`, { R: 1 }, 2, 'second');
  }
  for (let i = 0; i < 12; i++) {
    const [run = ''] = running;
    order.push(run.split(' ')[0] ?? '');
    end(run);
  }
  expect(order.filter((instance) => instance === 'first')).toHaveLength(8);
  expect(order.filter((instance) => instance === 'second')).toHaveLength(4);
});

test('who waits no more is passed over, and who gives back twice gives back once', () => {
  const { ask, running, end } = asked({ R: 1 });
  ask('a', { R: 1 });
  const leave = ask('b', { R: 1 });
  ask('c', { R: 1 });
  leave();
  end('a');
  end('a');
  expect(running).toEqual(['c']);
  ask('d', { R: 1 });
  expect(running).toEqual(['c']);
});
