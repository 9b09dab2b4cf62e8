# SPDX-License-Identifier: Apache-2.0
"""Requests to the server itself, on any of its ports: README.md."""
import json

from wire import Answer


def get(state, path):
    return {
        '/__counts': lambda: dict(state.counts),
        '/__log': lambda: list(state.log),
        '/__credentials': state.credentials,
        '/__rules': lambda: state.rules,
        '/__settings': lambda: state.settings,
        '/__urls': lambda: state.urls,
        '/__troubles': lambda: state.troubles,
    }[path]()


def post(state, path, body):
    if path == '/__reset':
        state.reset()
    elif path == '/__rules':
        state.set_rules(body)
    elif path == '/__settings':
        state.set(body)
    elif path == '/__revoke':
        return {'revoked': state.revoke(body)}
    elif path == '/__buckets':
        state.buckets.make(body)
    elif path == '/__forget':
        state.counts.clear()
        state.log.clear()
    else:
        raise KeyError(path)
    return {}


def answer(state, request):
    try:
        with state.lock:
            if request.method == 'POST':
                found = post(state, request.path, json.loads(request.body or b'null'))
            else:
                found = get(state, request.path)
            return Answer(body=state.as_json(found), headers=[('Content-Type', 'application/json')])
    except KeyError:
        return Answer(404, body=b'no such control request\n')
    except (ValueError, TypeError, AttributeError) as e:
        return Answer(400, body=f'{e}\n'.encode())
