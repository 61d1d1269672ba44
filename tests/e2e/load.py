"""load.py - clients that send without pause, and the ledger of what they were promised."""

import contextlib
import random
import smtplib
import threading

import harness as h


class Load:
    """Threads that send small messages to a port that may be away at any moment.

    `acknowledged` holds every (recipient) whose message got its 250; `doubtful` those whose final dot
    went out without an answer, which may or may not have been taken. Every address is used once.
    """

    def __init__(self, port, templates, threads=4, recipients=3, pace=0.0):
        self.port, self.templates, self.recipients, self.pace = port, templates, recipients, pace
        self.acknowledged, self.doubtful, self.refused = set(), set(), []
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True)
                        for i in range(threads)]
        for thread in self.threads:
            thread.start()

    def finish(self):
        self.over.set()
        for thread in self.threads:
            thread.join(h.PATIENCE)
            h.check(not thread.is_alive(), "a client hangs")

    def run(self, number):
        dice = random.Random(number)
        count = 0
        while not self.over.is_set():
            try:
                with contextlib.closing(smtplib.SMTP(timeout=h.PATIENCE)) as s:
                    s.connect("127.0.0.1", self.port)
                    s.ehlo("client.test")
                    while not self.over.is_set():
                        count += 1
                        to = [dice.choice(self.templates).format(f"{number}x{count}x{i}")
                              for i in range(dice.randint(1, self.recipients))]
                        self.send(s, to)
                        if self.pace:
                            self.over.wait(self.pace)
            except (OSError, smtplib.SMTPException):
                self.over.wait(0.01)

    def send(self, s, to):
        code, text = s.mail("info@news.test")
        if code != 250:
            self.refused.append((code, text))
            raise smtplib.SMTPServerDisconnected("refused")
        taken = [t for t in to if s.rcpt(t)[0] == 250]
        code, _ = s.docmd("DATA")
        if code != 354:
            raise smtplib.SMTPServerDisconnected("no 354")
        data = h.message(test_id=to[0].split("@")[0], body=f"{to[0]}\r\n" * random.randint(1, 40))
        with self.lock:
            self.doubtful.update(taken)
        s.send(data + b".\r\n")
        code, text = s.getreply()
        with self.lock:
            if code == 250:
                self.acknowledged.update(taken)
            elif code == 452 or code >= 400:
                self.refused.append((code, text))
            if code > 0:
                self.doubtful.difference_update(taken)
