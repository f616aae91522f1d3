"""What an engine may have changed in a QEMU, to be compared afterwards.

    before = Snapshot(source)
    ...
    assert Snapshot(source) == before, Snapshot(source).diff(before)
"""



def read_objects(spy):
    return {o['name']: o['type'] for o in spy.cmd('qom-list', path='/objects')
            if o['name'] != 'type'}


def read_nodes(spy):
    nodes = {}
    for node in spy.cmd('query-named-block-nodes', flat=True):
        name = node['node-name']
        if name.startswith('#'):
            name = f"#auto {node['drv']} {node.get('file', '')}"
        nodes[name] = {
            'driver': node['drv'], 'ro': node['ro'],
            'active': node.get('active'),
            'detect-zeroes': node.get('detect_zeroes'),
            'bitmaps': sorted(b.get('name', '') for b in
                              node.get('dirty-bitmaps', [])),
        }
    return nodes


def read_devices(spy):
    """Which node each guest disk has on top."""
    return {d.get('qdev') or d['device']:
            d.get('inserted', {}).get('node-name')
            for d in spy.cmd('query-block')}


class Snapshot:
    """The state of a QEMU as its spy sees it."""

    def __init__(self, qemu):
        spy = qemu.spy
        self.state = {
            'run state': spy.cmd('query-status')['status'],
            'capabilities': {c['capability']: c['state'] for c in
                             spy.cmd('query-migrate-capabilities')},
            'parameters': spy.cmd('query-migrate-parameters'),
            'objects': read_objects(spy),
            'nodes': read_nodes(spy),
            'disks': read_devices(spy),
            'jobs': {j['id']: j['type'] for j in spy.cmd('query-jobs')},
            'exports': {e['id']: e['node-name'] for e in
                        spy.cmd('query-block-exports')},
            'listening': {port: True for port in qemu.listening()},
        }

    def __eq__(self, other):
        return self.state == other.state

    def diff(self, before):
        """A sentence for each difference, none if all is as it was."""
        found = []
        for part, now in self.state.items():
            then = before.state[part]
            if not isinstance(now, dict):
                now, then = {'': now}, {'': then}
            for key in sorted(set(now) | set(then), key=str):
                a, b = then.get(key, 'nothing'), now.get(key, 'nothing')
                if a != b:
                    found.append(f'{part} {key}: was {a}, is {b}')
        return found

    def without(self, *parts):
        """The same without some parts (as 'run state')."""
        other = object.__new__(Snapshot)
        other.state = {k: v for k, v in self.state.items() if k not in parts}
        return other
