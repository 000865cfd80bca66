/* Netlink: enough for a C library to list interfaces; and the old ioctls. */
#include "t.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>

static char buffer[32768];
TEST(a_route_dump_names_the_loopback) {
    struct { struct nlmsghdr head; struct ifinfomsg info; } ask = {{sizeof ask, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 7, 0}, {0}};
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), found = 0, done = 0;
    CHECK_EQ(send(fd, &ask, sizeof ask, 0), sizeof ask);
    while (!done) {
        int n = recv(fd, buffer, sizeof buffer, 0);
        CHECK(n > 0);
        for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, (unsigned)n); h = NLMSG_NEXT(h, n)) {
            CHECK_EQ(h->nlmsg_seq, 7);
            if (h->nlmsg_type == NLMSG_DONE) done = 1;
            if (h->nlmsg_type == RTM_NEWLINK && ((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index == 1) found = 1;
        }
    }
    CHECK(found);
}
TEST(an_unknown_request_is_answered_with_an_error) {
    struct { struct nlmsghdr head; struct ifinfomsg info; } ask = {{sizeof ask, 4000, NLM_F_REQUEST | NLM_F_ACK, 9, 0}, {0}};
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    send(fd, &ask, sizeof ask, 0);
    CHECK(recv(fd, buffer, sizeof buffer, 0) > 0);
    struct nlmsghdr *h = (void *)buffer;
    CHECK_EQ(h->nlmsg_type, NLMSG_ERROR);
    CHECK_EQ(((struct nlmsgerr *)NLMSG_DATA(h))->error, -EOPNOTSUPP);
}
TEST(a_netlink_socket_has_an_address) {
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    socklen_t size = sizeof address;
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    CHECK_EQ(bind(fd, (void *)&address, size), 0);
    CHECK_EQ(getsockname(fd, (void *)&address, &size), 0);
    CHECK(size == 12 && address.nl_pid != 0);
    CHECK_ERRNO(socket(AF_NETLINK, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
}
TEST(interfaces_can_be_asked_by_ioctl) {
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    strcpy(request.ifr_name, "lo");
    CHECK_EQ(ioctl(fd, SIOCGIFINDEX, &request), 0);
    CHECK_EQ(request.ifr_ifindex, 1);
    CHECK_EQ(ioctl(fd, SIOCGIFFLAGS, &request), 0);
    CHECK(request.ifr_flags & IFF_LOOPBACK);
    strcpy(request.ifr_name, "nosuch");
    CHECK_ERRNO(ioctl(fd, SIOCGIFFLAGS, &request), ENODEV);
}
