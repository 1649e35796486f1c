"""packaging/kubernetes, as far as it can be tried without a cluster: the manifests hang together and have
no field that we do not know, and each container's command, with its environment, files and probes, is
run here: Secrets are laid out as a kubelet does, addresses and directories are replaced."""

import base64
import os
import re
import shutil
import signal
import subprocess
import unittest

import harness

try:
    import yaml
except ImportError:
    yaml = None

WHERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packaging", "kubernetes")
# The fields that are used, each with what stands below it, as the API has them.
META = {"name": str, "labels": dict}
EXEC = {"exec": {"command": [str]}, "periodSeconds": int, "timeoutSeconds": int, "failureThreshold": int}
POD = {
    "metadata": {"labels": dict},
    "spec": {
        "automountServiceAccountToken": bool, "enableServiceLinks": bool, "terminationGracePeriodSeconds": int,
        "securityContext": {"runAsNonRoot": bool, "runAsUser": int, "runAsGroup": int, "fsGroup": int,
                            "fsGroupChangePolicy": str, "seccompProfile": {"type": str}},
        "containers": [{
            "name": str, "image": str, "command": [str], "args": [str], "workingDir": str,
            "env": [{"name": str, "value": str, "valueFrom": {"fieldRef": {"fieldPath": str}}}],
            "ports": [{"name": str, "containerPort": int}],
            "startupProbe": EXEC, "readinessProbe": EXEC, "livenessProbe": EXEC,
            "resources": {"requests": dict, "limits": dict},
            "securityContext": {"allowPrivilegeEscalation": bool, "readOnlyRootFilesystem": bool,
                                "capabilities": {"drop": [str]}},
            "volumeMounts": [{"name": str, "mountPath": str, "readOnly": bool}]}],
        "volumes": [{"name": str, "secret": {"secretName": str, "defaultMode": int}, "emptyDir": dict}]}}
COMMON = {"apiVersion": str, "kind": str, "metadata": META}
KINDS = {
    ("v1", "Service"): {**COMMON, "spec": {
        "selector": dict, "ports": [{"name": str, "port": int, "targetPort": str}]}},
    ("apps/v1", "StatefulSet"): {**COMMON, "spec": {
        "serviceName": str, "replicas": int, "selector": {"matchLabels": dict}, "template": POD,
        "volumeClaimTemplates": [{"metadata": META, "spec": {
            "accessModes": [str], "resources": {"requests": dict}}}]}},
    ("apps/v1", "Deployment"): {**COMMON, "spec": {
        "replicas": int, "selector": {"matchLabels": dict}, "template": POD}},
    ("kustomize.config.k8s.io/v1beta1", "Kustomization"): {
        "apiVersion": str, "kind": str, "resources": [str], "generatorOptions": {"disableNameSuffixHash": bool},
        "secretGenerator": [{"name": str, "files": [str]}]}}


def load(name):
    with open(os.path.join(WHERE, name)) as f:
        return list(yaml.safe_load_all(f))


def unknown(value, known, path):
    """Where it is not as the fields above are."""
    if isinstance(known, dict):
        if not isinstance(value, dict):
            return [path]
        return [w for name, below in value.items() for w in
                (unknown(below, known[name], f"{path}.{name}") if name in known else [f"{path}.{name}"])]
    if isinstance(known, list):
        return [path] if not isinstance(value, list) else [
            w for n, below in enumerate(value) for w in unknown(below, known[0], f"{path}[{n}]")]
    return [] if type(value) is known else [path]


@unittest.skipUnless(yaml, "there is no python3-yaml here")
class Manifests(harness.Case):
    def setUp(self):
        super().setUp()
        self.kustomization = load("kustomization.yaml")[0]
        self.objects = [o for name in self.kustomization["resources"] for o in load(name)]
        self.sets = [o for o in self.objects if "template" in o["spec"]]
        self.by_name = {(o["kind"], o["metadata"]["name"]): o for o in self.objects}

    def test_no_field_is_unknown_or_of_another_type(self):
        for o in [self.kustomization, *self.objects]:
            self.assertEqual(unknown(o, KINDS[o["apiVersion"], o["kind"]], o["kind"]), [])
        wrong = {**self.objects[0], "spec": {"selektor": {}, "ports": [{"port": "5670"}]}}
        self.assertEqual(unknown(wrong, KINDS["v1", "Service"], ""), [".spec.selektor", ".spec.ports[0].port"])

    def test_what_is_named_is_there(self):
        secrets = {s["name"]: [os.path.basename(f) for f in s["files"]] for s in self.kustomization["secretGenerator"]}
        service = self.by_name["Service", "stint-broker"]
        for o in self.sets:
            spec, pod = o["spec"], o["spec"]["template"]["spec"]
            self.assertEqual(spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"])
            volumes = {v["name"] for v in pod["volumes"]} | {c["metadata"]["name"] for c in spec.get("volumeClaimTemplates", [])}
            self.assertEqual({m["name"] for c in pod["containers"] for m in c["volumeMounts"]}, volumes)
            for v in pod["volumes"]:
                self.assertEqual(len(v), 2, v)
                if "secret" in v:
                    self.assertIn(v["secret"]["secretName"], secrets)
            mounts = [m["mountPath"] for c in pod["containers"] for m in c["volumeMounts"]]
            for c in pod["containers"]:
                for text in [*c["args"], *(e.get("value", "") for e in c["env"])]:
                    for path in re.findall(r"(?:^|=)(/[\w/.-]+)", text):
                        self.assertTrue(any(path == m or path.startswith(m + "/") for m in mounts), path)
        self.assertEqual(self.by_name["StatefulSet", "stint-broker"]["spec"]["serviceName"], service["metadata"]["name"])
        broker = self.by_name["StatefulSet", "stint-broker"]["spec"]["template"]
        self.assertEqual(service["spec"]["selector"], broker["metadata"]["labels"])
        self.assertEqual([p["name"] for p in broker["spec"]["containers"][0]["ports"]],
                         [p["targetPort"] for p in service["spec"]["ports"]])
        self.assertEqual(self.by_name["StatefulSet", "stint-broker"]["spec"]["replicas"], 1)

    def test_no_container_has_rights_and_each_says_what_it_takes(self):
        for o in self.sets:
            pod = o["spec"]["template"]["spec"]
            self.assertTrue(pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] >= 1000)
            self.assertIs(pod["automountServiceAccountToken"], False)
            for c in pod["containers"]:
                self.assertEqual(c["securityContext"], {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                        "capabilities": {"drop": ["ALL"]}})
                self.assertIn("memory", c["resources"]["limits"])
                self.assertEqual(set(c["resources"]["requests"]), {"cpu", "memory"})
                for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                    if probe in c:  # what the command waits for is shorter than what the kubelet does
                        within = re.search(r"--broker-timeout=(\d+)s", " ".join(c[probe]["exec"]["command"]))
                        self.assertLess(int(within[1]), c[probe]["timeoutSeconds"])

    def test_a_worker_is_given_longer_than_its_drain(self):
        pod = self.by_name["Deployment", "stint-worker"]["spec"]["template"]["spec"]
        drain = {e["name"]: e.get("value") for e in pod["containers"][0]["env"]}["STINT_DRAIN"]
        self.assertGreater(pod["terminationGracePeriodSeconds"], int(drain[:-1]) * {"h": 3600, "m": 60, "s": 1}[drain[-1]] + 10)

    @unittest.skipUnless(shutil.which("kubectl"), "there is no kubectl here")
    def test_kubectl_makes_the_same_of_it(self):
        copy = self.place.path("copy")
        shutil.copytree(WHERE, copy)
        subprocess.run([harness.program("stintd"), "--init", "--data", os.path.join(copy, "secrets")], check=True,
                       stdout=subprocess.DEVNULL)
        r = subprocess.run(["kubectl", "kustomize", copy], capture_output=True, text=True, timeout=harness.DEADLINE_S)
        self.assertEqual(r.returncode, 0, r.stderr)
        made = list(yaml.safe_load_all(r.stdout))
        self.assertEqual(sorted(o["kind"] for o in made), ["Deployment", "Secret", "Secret", "Service", "StatefulSet"])
        for o in made:
            if o["kind"] == "Secret":
                self.assertTrue(all(b"curve" in base64.b64decode(text) for text in o["data"].values()))
            else:
                self.assertEqual(o, self.by_name[o["kind"], o["metadata"]["name"]])

    # ---- and run ----

    def write_secret(self, name, files):
        """As a kubelet does: files of one moment in a directory, which a link names."""
        volume = self.place.path("secrets-" + name)
        moment = os.path.join(volume, f"..{len(os.listdir(volume)) if os.path.exists(volume) else 0}")
        os.makedirs(moment)
        for path in files:
            copy = shutil.copy(path, moment)
            os.chmod(copy, 0o440)
            if not os.path.lexists(os.path.join(volume, os.path.basename(path))):
                os.symlink(os.path.join("..data", os.path.basename(path)), os.path.join(volume, os.path.basename(path)))
        os.symlink(os.path.basename(moment), os.path.join(volume, "..data_tmp"))
        os.rename(os.path.join(volume, "..data_tmp"), os.path.join(volume, "..data"))
        os.chmod(volume, 0o1777)
        return volume

    def run_pods(self):
        self.files = {s["name"]: [self.place.path(f) for f in s["files"]] for s in self.kustomization["secretGenerator"]}
        subprocess.run([harness.program("stintd"), "--init", "--data", self.place.path("secrets")], check=True,
                       stdout=subprocess.DEVNULL)
        self.ports = {"5670": str(harness.socket_port()), "5671": str(harness.socket_port())}
        self.volumes = {name: self.write_secret(name, files) for name, files in self.files.items()}

    def container(self, kind, name):
        return self.by_name[kind, name]["spec"]["template"]["spec"]["containers"][0]

    def here(self, o, text):
        """What stands for this host's directories and ports in a container's."""
        pod = o["spec"]["template"]["spec"]
        secrets = {v["name"]: self.volumes[v["secret"]["secretName"]] for v in pod["volumes"] if "secret" in v}
        local = {}
        for m in pod["containers"][0]["volumeMounts"]:
            local[m["mountPath"]] = secrets.get(m["name"]) or self.place.path(o["metadata"]["name"] + "-" + m["name"])
            os.makedirs(local[m["mountPath"]], exist_ok=True)
        text = re.sub(rf"(^|=)({'|'.join(map(re.escape, local))})(?=/|$)", lambda m: m[1] + local[m[2]], text)
        text = text.replace("tcp://stint-broker:", "tcp://127.0.0.1:")
        return re.sub(r"^(.*tcp://.*:)(567[01])$", lambda m: m[1] + self.ports[m[2]], text)

    def environment(self, o, name):
        """An image's, and what the manifest says."""
        c = o["spec"]["template"]["spec"]["containers"][0]
        env = {"PATH": ":".join([*{os.path.dirname(harness.program(p)) for p in ("stint", "stintd", "stint-worker")},
                                 "/usr/bin:/bin"])}
        for e in c["env"]:
            env[e["name"]] = self.here(o, e["value"]) if "value" in e else {"metadata.name": name}[e["valueFrom"]["fieldRef"]["fieldPath"]]
        return env

    def start(self, kind, name, pod):
        o, c = self.by_name[kind, name], self.container(kind, name)
        log = self.place.path(pod + ".log")
        argv = [*c["command"], *(self.here(o, a) for a in c["args"])]
        p = harness.Process(["env", "-i", "-C", self.here(o, c.get("workingDir", "/")),
                             *(f"{n}={v}" for n, v in self.environment(o, pod).items()), *argv], log)
        self.place.processes.append(p)
        return p

    def probe(self, kind, name, which):
        o, c = self.by_name[kind, name], self.container(kind, name)
        r = subprocess.run(c[which]["exec"]["command"], env=self.environment(o, "probe"), capture_output=True,
                           timeout=harness.DEADLINE_S)
        return r.returncode == 0

    def stint(self, *args, code=0):
        """As by kubectl exec stint-broker-0 -- stint."""
        o = self.by_name["StatefulSet", "stint-broker"]
        r = subprocess.run(["stint", *args], env=self.environment(o, ""), capture_output=True, text=True, timeout=harness.DEADLINE_S)
        self.assertEqual(r.returncode, code, r.stderr)
        return r.stdout

    def test_the_containers_do_what_they_are_for(self):
        self.run_pods()
        self.assertFalse(self.probe("StatefulSet", "stint-broker", "readinessProbe"))
        self.assertFalse(self.probe("Deployment", "stint-worker", "readinessProbe"))
        broker = self.start("StatefulSet", "stint-broker", "stint-broker-0")
        for which in ("startupProbe", "readinessProbe", "livenessProbe"):
            harness.wait_until(lambda w=which: self.probe("StatefulSet", "stint-broker", w), which + " is content")
        self.assertIn('"asks for keys"', broker.log())
        workers = [self.start("Deployment", "stint-worker", pod) for pod in ("stint-worker-a", "stint-worker-b")]
        harness.wait_until(lambda: all('"connected"' in w.log() for w in workers), "the workers are connected")
        self.assertTrue(self.probe("Deployment", "stint-worker", "readinessProbe"))
        self.assertEqual(sorted(re.findall(r"stint-worker-[ab]", self.stint("workers"))), ["stint-worker-a", "stint-worker-b"])
        job = self.stint("submit", "--kind", "checksum", "hello").strip()
        self.stint("wait", "-Q", job)
        self.assertEqual(self.stint("result", job), "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824  -\n")
        # A pod that has to go.
        for w in workers:
            w.signal(signal.SIGTERM)
        self.assertEqual([w.process.wait(harness.DEADLINE_S) for w in workers], [0, 0])
        broker.signal(signal.SIGTERM)
        self.assertEqual(broker.process.wait(harness.DEADLINE_S), 0)
        # It comes back with its volume.
        self.start("StatefulSet", "stint-broker", "stint-broker-0")
        harness.wait_until(lambda: self.probe("StatefulSet", "stint-broker", "startupProbe"), "it is back")
        self.assertIn('"succeeded"', self.stint("show", "--json", job))

    def test_a_pod_that_has_to_go_lets_finish_what_runs(self):
        self.run_pods()
        self.start("StatefulSet", "stint-broker", "stint-broker-0")
        harness.wait_until(lambda: self.probe("StatefulSet", "stint-broker", "readinessProbe"), "it is ready")
        gate = self.place.path("gate")
        args = self.container("Deployment", "stint-worker")["args"]
        args.append(f"--shell=slow=until [ -e {gate} ]; do sleep 0.02; done; echo whole")
        worker = self.start("Deployment", "stint-worker", "stint-worker-a")
        job = self.stint("submit", "--kind", "slow", "x").strip()
        harness.wait_until(lambda: '"running"' in self.stint("show", "--json", job), "the job runs")
        worker.signal(signal.SIGTERM)
        harness.wait_until(lambda: "waits for running jobs" in worker.log(), "it has heard")
        self.assertTrue(worker.running())
        with open(gate, "w"):
            pass
        self.assertEqual(worker.process.wait(harness.DEADLINE_S), 0)
        self.assertEqual(self.stint("result", job), "whole\n")

    def test_a_key_that_comes_into_the_secret_is_taken_without_a_new_pod(self):
        self.run_pods()
        broker = self.start("StatefulSet", "stint-broker", "stint-broker-0")
        harness.wait_until(lambda: self.probe("StatefulSet", "stint-broker", "readinessProbe"), "it is ready")
        keys = self.place.path("secrets", "keys")
        subprocess.run([harness.program("stint"), "key", "new", "--out", self.place.directory, "--role", "client", "guest"],
                       check=True, capture_output=True)
        subprocess.run([harness.program("stint"), "key", "add", "--keys", keys, self.place.path("guest.pub")], check=True,
                       capture_output=True)
        self.write_secret("stint-broker-keys", [*self.files["stint-broker-keys"], os.path.join(keys, "guest.pub")])
        harness.wait_until(lambda: '"key":"guest"' in broker.log().replace(" ", ""), "the broker has noticed")
        r = self.place.stint("submit", "x", "-e", f"tcp://localhost:{self.ports['5670']}", endpoint=False, env={
            "STINT_KEY": self.place.path("guest.key"), "STINT_BROKER_KEY": os.path.join(keys, "broker.pub")})
        self.assertExit(r, 0)

    def test_the_image_has_the_packages_that_are_built_with_and_run_with(self):
        with open(os.path.join(WHERE, "Dockerfile")) as f:
            text = f.read()
        with open(os.path.join(WHERE, "..", "..", "dev")) as f:
            dev = re.search(r'^packages="(.*?)"', f.read(), re.M | re.S)[1].split()
        build, run = (set(re.search(r"recommends (.*?)(?: && |\n\S)", part.replace("\\\n", " "), re.S)[1].split())
                      for part in text.split("FROM ")[1:])
        self.assertEqual(set(dev) - build, {"libcmocka-dev", "libsodium-dev", "procps", "python3", "python3-zmq",
                                            "python3-msgpack", "tzdata"})
        self.assertEqual(build - set(dev), set())
        needed = set()
        for name in ("stint", "stintd", "stint-worker"):
            said = subprocess.run(["readelf", "-d", harness.program(name)], capture_output=True, text=True, check=True).stdout
            needed |= set(re.findall(r"Shared library: \[lib(\w+)\.so", said)) - {"c", "stint", "asan", "tsan", "ubsan"}
        self.assertIn("tzdata", run)  # which is read, and not linked
        packages = {re.match(r"lib(\D+)", package)[1] for package in run - {"tzdata"}}
        self.assertEqual({name for name in needed if name.rstrip("0123456789") not in packages}, set())
        self.assertEqual(len(packages), len(needed), (needed, packages))


if __name__ == "__main__":
    harness.main()
